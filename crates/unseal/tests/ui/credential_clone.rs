fn main() {}

fn copy(secret: &keyhold_unseal::Credential) -> keyhold_unseal::Credential {
    secret.clone()
}
