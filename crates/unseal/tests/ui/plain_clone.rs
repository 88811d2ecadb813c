fn main() {}

fn copy(secret: &keyhold_seal::PlainSecret) -> keyhold_seal::PlainSecret {
    secret.clone()
}
