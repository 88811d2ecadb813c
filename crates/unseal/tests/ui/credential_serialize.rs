fn main() {}

fn write(secret: keyhold_unseal::Credential) -> String {
    serde_json::to_string(&secret).unwrap()
}
