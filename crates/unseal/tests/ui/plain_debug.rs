fn main() {}

fn print(secret: keyhold_seal::PlainSecret) -> String {
    format!("{:?}", secret)
}
