//! Secrets refuse to be printed, copied, compared and written out: each of these must not compile.

#[test]
fn secrets_lack_the_traits_that_leak() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
