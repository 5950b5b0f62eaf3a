//! What is a secret, what only speaks of one, and that no surroundings hide one.

use proptest::prelude::*;

use super::*;

/// A text, and what must not be left of it. None of these opens anything: they have the forms and are made up.
const SECRETS: [(&str, &str); 62] = [
    ("cloning with ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    ("gho_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    ("ghs_16C7e42F292c6912E7710c838347Ae178B4a expired", "16C7e42F"),
    ("github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefghijklmnop", "mNoPqRs"),
    ("glpat-aBcDeFgHiJkLmNoPqRsT", "aBcDeFgHiJkL"),
    ("slack said no to xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "AbCdEfGh"),
    ("xoxp-1-2-3-abcdef0123456789", "abcdef01"),
    ("xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTAxMg", "Mi0yLTEy"),
    ("xapp-1-A0123-456-abcdef0123456789abcdef", "abcdef01"),
    ("POST https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX failed", "XXXXXXXX"),
    ("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUt"),
    ("key AIzaSyA1234567890abcdefghijklmnopqrstuv is not valid", "SyA12345"),
    ("ya29.a0AfH6SMBx1234567890abcdef", "AfH6SMBx"),
    (
        "jwt eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "dozjgNry",
    ),
    ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "eyJzdWIi"),
    ("OPENAI sk-proj-abcDEF1234567890abcDEF12", "abcDEF12"),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqL"),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefgh"),
    ("pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDA", "AgEIcHlw"),
    ("dckr_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZ0", "aBcDeFgH"),
    ("hvs.CAESIJ1234567890abcdefghij", "CAESIJ12"),
    ("SG.abcdefghijklmnopqrstuv.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", "abcdefgh"),
    ("ATATT3xFfGF0abcdefghijklmnopqrstuvwxyz012345=ABCDEF12", "xFfGF0ab"),
    ("glsa_abcdefghijklmnopqrstuvwxyz012345_6789abcd", "abcdefgh"),
    ("could not connect to postgres://app:s3cr3t@db.internal:5432/shop", "s3cr3t"),
    ("redis://:p4ssw0rd@cache:6379/0", "p4ssw0rd"),
    ("amqp://user:with:colon@mq/vhost", "with:colon"),
    ("mongodb+srv://u:p%40ss@cluster0.example.net/test", "p%40ss"),
    ("https://0123456789abcdef0123456789abcdef@o1.ingest.example/2", "0123456789abcdef"),
    ("Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"),
    ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("{\"Authorization\":\"token 0123456789abcdef\"}", "0123456789abcdef"),
    ("curl -H 'Authorization: 0123456789abcdef' https://api", "0123456789abcdef"),
    ("Proxy-Authorization: Digest username=\"x\"", "username="),
    ("using bearer 0123456789abcdefXYZ.-_", "0123456789abcdefXYZ"),
    ("Cookie: session=abc; other=def", "session=abc"),
    ("Set-Cookie: sid=31d4d96e407aad42; Path=/", "31d4d96e"),
    ("password=hunter2", "hunter2"),
    ("password: hunter2", "hunter2"),
    ("DB_PASSWORD=correcthorsebatterystaple", "correcthorse"),
    ("spring.datasource.password=Tr0ub4dor&3", "Tr0ub4dor"),
    ("{\"user\":\"app\",\"password\":\"correct horse\"}", "correct horse"),
    ("{\\\"password\\\":\\\"correct\\\"}", "correct"),
    ("passwd='abc def'", "abc def"),
    ("mysql --password=s3cr3t -u root", "s3cr3t"),
    ("login --password s3cr3t", "s3cr3t"),
    ("Server=db;User Id=sa;Pwd=Abc123!x;Encrypt=true", "Abc123!x"),
    ("api_key=0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    ("apikey: 'aZ3fQ9xK2mN7'", "aZ3fQ9xK2mN7"),
    ("X-Api-Key: 8f14e45fceea167a5a36dedd4bea2543", "8f14e45f"),
    ("client_secret=GzXk29fLq0Pw", "GzXk29fLq0Pw"),
    ("GET /callback?access_token=1a2b3c4d5e6f&state=7", "1a2b3c4d5e6f"),
    ("secret: 5ebe2294ecd0e0f08eab7690d2a6ee69", "5ebe2294"),
    ("token=550e8400-e29b-41d4-a716-446655440000", "550e8400"),
    ("refreshToken => \"Zx81Qw92Er73\"", "Zx81Qw92Er73"),
    ("AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq==;", "Eby8vdM0"),
    ("the token is 5ebe2294ecd0e0f08eab7690d2a6ee69", "5ebe2294"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc=\n-----END RSA PRIVATE KEY-----", "MIIEpAIB"),
    ("key: \"-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIIrYSSNQFaA2Hwf1\\n-----END EC PRIVATE KEY-----\"", "MHcCAQEE"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n", "MIIEvQIB"),
    ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----", "MIIEvQIB"),
];

/// Texts that hold no secret, however much they speak of some.
const HARMLESS: [&str; 45] = [
    "",
    "java.lang.OutOfMemoryError: Java heap space\n\tat com.acme.auth.TokenFilter.doFilter(TokenFilter.java:42)\n\tat \
     org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:197)",
    "Caused by: com.acme.PasswordException: password: too short for the policy",
    "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation \
     code=0x1 addr=0x0 pc=0x4a1b2c]\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:12 +0x1d",
    "thread 'main' panicked at src/main.rs:4:5:\ncalled `Option::unwrap()` on a `None` value\nnote: run with \
     `RUST_BACKTRACE=1` environment variable to display a backtrace",
    "Traceback (most recent call last):\n  File \"/app/db.py\", line 12, in connect\n    \
     password=os.environ[\"DB_PASSWORD\"],\nKeyError: 'DB_PASSWORD'",
    "  File \"/app/db.py\", line 8\n    return connect(host=host, password=password, token=token)",
    "    self.password = password",
    "    token = self.tokens.next()",
    "    api_key = config.get('api_key')",
    "    secret = settings.SECRET_KEY",
    "def login(password: str, token: Optional[str] = None):",
    "SyntaxError: Unexpected token } in JSON at position 5",
    "SyntaxError: Unexpected token: identifier",
    "    at JSON.parse (<anonymous>)\n    at Object.<anonymous> (/app/server.js:10:15)",
    "TypeError: Cannot read properties of undefined (reading 'token')",
    "FATAL: password authentication failed for user \"app\"",
    "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)",
    "ERROR: (using password: NO)",
    "secret \"db-credentials\" not found",
    "MountVolume.SetUp failed for volume \"certs\" : secret \"checkout-tls\" not found",
    "secretName: checkout-tls-7d9f8",
    "serviceAccountToken:\n  expirationSeconds: 3607\n  path: token",
    "token_type=bearer expires_in=3600",
    "tokens used: 1234567890",
    "max_tokens=4096 prompt_tokens=12345678",
    "token expires at 2026-11-21T18:38:00Z",
    "invalid token",
    "the token is not valid",
    "no password is set for user app",
    "password=",
    "password=\"\"",
    "password=null token=none secret=[REDACTED]",
    "PWD=/app HOME=/root",
    "MountVolume.SetUp failed for volume \"kube-api-access-x\" : failed to fetch token: serviceaccounts \"x\" is forbidden",
    "Error: couldn't find key DB_PASSWORD in Secret payments/checkout",
    "password=${DB_PASSWORD}",
    "password: $DB_PASSWORD",
    "PASSWORD_FILE=/run/secrets/db",
    "commit 5ebe2294ecd0e0f08eab7690d2a6ee69aabbccdd",
    "image checkout@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pod 550e8400-e29b-41d4-a716-446655440000 on ip-10-0-0-1.eu-west-1.compute.internal",
    "GET https://api.acme.example/v1/orders?page=2 200 in 31ms",
    "time=\"2026-11-21T18:38:00Z\" level=info msg=\"listening\" addr=:8080",
    "user@example.org wrote to ops@example.org",
];

#[test]
fn what_opens_something_is_taken_out() {
    for (text, secret) in SECRETS {
        let clean = redact(text);
        assert!(!clean.contains(secret), "{text:?} became {clean:?}");
        assert!(clean.contains(REMOVED), "{text:?} became {clean:?}");
    }
}

#[test]
fn what_only_speaks_of_secrets_stays_as_it_is() {
    for text in HARMLESS {
        assert!(matches!(redact(text), Cow::Borrowed(_)), "{text:?} became {:?}", redact(text));
    }
}

#[test]
fn what_is_around_a_secret_stays() {
    insta::assert_snapshot!(redact("2026-11-21T18:38:00Z ERROR connect postgres://app:s3cr3t@db:5432/shop: refused"),
        @"2026-11-21T18:38:00Z ERROR connect postgres://app:[secret removed]@db:5432/shop: refused");
    insta::assert_snapshot!(redact(r#"{"user":"app","password":"abc","retries":3}"#),
        @r#"{"user":"app","password":"[secret removed]","retries":3}"#);
    insta::assert_snapshot!(redact("Authorization: Bearer 0123456789abcdef, Accept: */*"),
        @"Authorization: Bearer [secret removed], Accept: */*");
}

#[test]
fn every_form_is_a_regular_expression() {
    assert_eq!(FORMS.len(), PATTERNS.len());
    assert!(redact("password=hunter2").contains(REMOVED));
}

#[test]
fn a_known_secret_is_taken_out_wherever_it_stands() {
    let veil = Veil::new(["open-sesame", "open-sesame-twice", "abc"]);
    assert_eq!(
        veil.over("url /x/open-sesame-twice/y: open-sesame, abc"),
        "url /x/[secret removed]/y: [secret removed], abc"
    );
}

proptest! {
    #[test]
    fn a_secret_in_any_surroundings_is_taken_out(before in "[ -~\n]{0,40}", after in "[ -~\n]{0,40}", which in 0..SECRETS.len()) {
        let (text, secret) = SECRETS[which];
        let clean = redact(&format!("{before}\n{text}\n{after}")).into_owned();
        prop_assert!(!clean.contains(secret), "{}", clean);
    }

    #[test]
    fn taking_out_twice_changes_nothing_more(text in "[ -~\n]{0,200}", which in 0..SECRETS.len()) {
        let once = redact(&format!("{text} {}", SECRETS[which].0)).into_owned();
        prop_assert_eq!(redact(&once), once.as_str());
    }

    #[test]
    fn any_text_can_be_read(text in ".{0,200}") {
        prop_assert!(!redact(&text).is_empty() || text.is_empty());
    }
}
