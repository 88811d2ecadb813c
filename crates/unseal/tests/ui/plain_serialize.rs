fn main() {}

fn write(secret: keyhold_seal::PlainSecret) -> String {
    serde_json::to_string(&secret).unwrap()
}
