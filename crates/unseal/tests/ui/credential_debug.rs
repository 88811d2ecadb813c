fn main() {}

fn print(secret: keyhold_unseal::Credential) -> String {
    format!("{:?}", secret)
}
