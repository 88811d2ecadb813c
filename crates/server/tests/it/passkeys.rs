//! Passkeys with a software authenticator that does everything a browser's does.

use std::future::Future;
use std::pin::Pin;

use passkey_authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey_client::{Client as Browser, DefaultClientData};
use passkey_crypto::AvailableBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use passkey_types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::{Value, json};

use crate::world::{Client, ORIGIN, PASSWORD, World};

/// A user who is there and proves it.
struct User;

/// What the trait's macro would write for an asynchronous function.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl UserValidationMethod for User {
    type PasskeyItem = Passkey;

    fn check_user<'a, 'me, 'later>(
        &'me self,
        _hint: UiHint<'a, Passkey>,
        _presence: bool,
        verification: bool,
    ) -> Later<'later, Result<UserCheck, Ctap2Error>>
    where
        'a: 'later,
        'me: 'later,
        Self: 'later,
    {
        Box::pin(async move { Ok(UserCheck { presence: true, verification }) })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A device that holds one discoverable passkey.
#[derive(Default)]
struct Device(Option<Passkey>);

fn device() -> Device {
    Device::default()
}

async fn make(device: &mut Device, origin: &str, options: &Value) -> Result<Value, String> {
    let options: CredentialCreationOptions = serde_json::from_value(json!({ "publicKey": options })).unwrap();
    let origin = url::Url::parse(origin).unwrap();
    let authenticator = Authenticator::new(Aaguid::new_empty(), device.0.clone(), User, AvailableBackend);
    let mut browser = Browser::new(authenticator).allows_insecure_localhost(true);
    let made = browser.register(origin, options, DefaultClientData).await;
    device.0.clone_from(browser.authenticator().store());
    made.map(|made| serde_json::to_value(made).unwrap()).map_err(|error| format!("{error:?}"))
}

async fn use_it(device: &mut Device, options: &Value) -> Value {
    let options: CredentialRequestOptions = serde_json::from_value(json!({ "publicKey": options })).unwrap();
    let origin = url::Url::parse(ORIGIN).unwrap();
    let authenticator = Authenticator::new(Aaguid::new_empty(), device.0.clone(), User, AvailableBackend);
    let mut browser = Browser::new(authenticator).allows_insecure_localhost(true);
    let used = browser.authenticate(origin, options, DefaultClientData).await.unwrap();
    device.0.clone_from(browser.authenticator().store());
    serde_json::to_value(used).unwrap()
}

async fn add(client: &mut Client, device: &mut Device, name: &str) -> Value {
    let begun = client.post("/passkeys/begin", json!({})).await.ok();
    assert_eq!(begun["options"]["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(begun["options"]["authenticatorSelection"]["userVerification"], "required");
    let credential = make(device, ORIGIN, &begun["options"]).await.unwrap();
    let body = json!({"ceremony": begun["ceremony"], "credential": credential, "name": name});
    client.post("/passkeys/finish", body).await.ok()
}

#[tokio::test]
async fn several_passkeys_sign_in_and_the_last_way_in_stays() {
    let world = World::start().await;
    let mut owner = world.client();
    // Claimed by passkey: the account has no password.
    let mut phone = device();
    let claim = json!({"code": world.claim_code(), "email": "alice@example.org"});
    let begun = owner.post("/claim/passkey/begin", claim).await.ok();
    let credential = make(&mut phone, ORIGIN, &begun["options"]).await.unwrap();
    let finish = json!({"ceremony": begun["ceremony"], "credential": credential, "name": "phone"});
    let me = owner.post("/claim/passkey/finish", finish).await.ok();
    assert_eq!(
        (me["user"]["has_password"].as_bool(), me["user"]["passkeys"].as_i64()),
        (Some(false), Some(1))
    );
    let mut laptop = device();
    let second = add(&mut owner, &mut laptop, "laptop").await;
    assert_eq!(second["name"], "laptop");

    for device in [&mut phone, &mut laptop] {
        let mut client = world.client();
        let begun = client.post("/session/passkey/begin", json!({})).await.ok();
        let credential = use_it(device, &begun["options"]).await;
        let body = json!({"ceremony": begun["ceremony"], "credential": credential});
        client.post("/session/passkey/finish", body.clone()).await.ok();
        client.get("/me").await.ok();
        // The same answer again is worthless.
        world.client().post("/session/passkey/finish", body).await.refused(401, "PASSKEY_REFUSED");
    }

    let all = owner.get("/passkeys").await.ok();
    let ids: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let renamed = owner.patch(&format!("/passkeys/{}", ids[0]), json!({"name": "old phone"})).await.ok();
    assert_eq!(renamed["name"], "old phone");
    assert_eq!(owner.delete(&format!("/passkeys/{}", ids[0])).await.status, 204);
    owner.delete(&format!("/passkeys/{}", ids[1])).await.refused(409, "LAST_SIGN_IN_METHOD");
    owner.post("/password", json!({"new_password": PASSWORD})).await;
    assert_eq!(owner.delete(&format!("/passkeys/{}", ids[1])).await.status, 204);
    let mut client = world.client();
    let begun = client.post("/session/passkey/begin", json!({})).await.ok();
    let credential = use_it(&mut laptop, &begun["options"]).await;
    let body = json!({"ceremony": begun["ceremony"], "credential": credential});
    client.post("/session/passkey/finish", body).await.refused(401, "PASSKEY_REFUSED");
}

#[tokio::test]
async fn a_passkey_confirms_and_answers_for_other_purposes_are_refused() {
    let world = World::start().await;
    let mut owner = world.owner().await;
    let mut phone = device();
    add(&mut owner, &mut phone, "phone").await;
    world.later(6 * 60 * 1000);
    owner.post("/passkeys/begin", json!({})).await.refused(403, "REAUTH_REQUIRED");
    let begun = owner.post("/session/reverify/passkey/begin", json!({})).await.ok();
    let credential = use_it(&mut phone, &begun["options"]).await;
    let body = json!({"ceremony": begun["ceremony"], "credential": credential});
    // Begun to confirm, it cannot sign in.
    world.client().post("/session/passkey/finish", body).await.refused(401, "PASSKEY_REFUSED");
    let begun = owner.post("/session/reverify/passkey/begin", json!({})).await.ok();
    let credential = use_it(&mut phone, &begun["options"]).await;
    let body = json!({"ceremony": begun["ceremony"], "credential": credential});
    owner.post("/session/reverify/passkey/finish", body).await.ok();
    owner.post("/passkeys/begin", json!({})).await.ok();
    // An exchange that took longer than five minutes is over.
    let begun = world.client().post("/session/passkey/begin", json!({})).await.ok();
    let credential = use_it(&mut phone, &begun["options"]).await;
    world.later(6 * 60 * 1000);
    let body = json!({"ceremony": begun["ceremony"], "credential": credential});
    world.client().post("/session/passkey/finish", body).await.refused(401, "PASSKEY_REFUSED");
}

#[tokio::test]
async fn a_passkey_of_another_origin_is_refused() {
    let world = World::start().await;
    let mut owner = world.owner().await;
    let begun = owner.post("/passkeys/begin", json!({})).await.ok();
    // A browser would not even ask for our name under another origin; one that is fooled makes another port's.
    let credential = make(&mut device(), "http://localhost:9999", &begun["options"]).await.unwrap();
    let body = json!({"ceremony": begun["ceremony"], "credential": credential, "name": "evil"});
    owner.post("/passkeys/finish", body).await.refused(401, "PASSKEY_REFUSED");
}
