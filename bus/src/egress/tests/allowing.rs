//! What an operator opens, and what stays shut beside it.

use super::*;

/// Which of these a guard with that list lets through to that address.
fn through<'a>(entries: &[&str], address: &str, urls: &[&'a str]) -> Vec<&'a str> {
    let guard = Guard::new(AllowList::parse(entries).unwrap());
    let passes = |url: &&&str| {
        let target = Target::of(&guard::address(url).unwrap()).unwrap();
        let address = match target.host {
            guard::Host::Address(literal) => literal,
            guard::Host::Name(_) => ip(address),
        };
        guard.check(&target).is_ok() && guard.admit(&target, address).is_ok()
    };
    urls.iter().filter(passes).copied().collect()
}

#[test]
fn a_network_is_open_to_names_and_addresses_at_every_port_unless_one_is_named() {
    let urls =
        ["http://10.1.2.3/", "https://10.1.2.3:6000/", "http://hooks.acme.example:80/", "https://11.0.0.1:6000/"];
    assert_eq!(through(&["10.0.0.0/8"], "10.9.9.9", &urls), urls[..3]);
    assert_eq!(through(&["10.0.0.0/8:6000"], "10.9.9.9", &urls), urls[1..2]);
    assert_eq!(through(&["10.0.0.0/8"], "172.16.0.1", &urls), urls[..2], "the name leads elsewhere");
    assert_eq!(through(&["10.1.2.3"], "10.9.9.9", &urls), urls[..2]);
    assert_eq!(through(&[], "10.9.9.9", &urls), [""; 0]);
}

#[test]
fn a_host_is_open_wherever_it_leads_and_its_neighbours_are_not() {
    let urls = [
        "http://hooks.acme.example:81/",
        "https://hooks.acme.example/",
        "https://a.hooks.acme.example/",
        "http://10.0.0.1/",
    ];
    assert_eq!(through(&["Hooks.Acme.Example"], "10.0.0.1", &urls), urls[..2]);
    assert_eq!(through(&["hooks.acme.example:81"], "10.0.0.1", &urls), urls[..1]);
    assert_eq!(
        through(&["localhost"], "127.0.0.1", &["https://localhost/", "https://127.0.0.1/"]),
        ["https://localhost/"]
    );
}

#[test]
fn ipv6_is_opened_by_ranges_of_its_own() {
    let urls = ["http://[fd00::1]:81/", "https://[fd00::1]/", "https://[fd01::1]/", "https://[::ffff:10.0.0.1]/"];
    assert_eq!(through(&["fd00::/16", "10.0.0.0/8"], "::1", &urls), urls[..2]);
    assert_eq!(through(&["[fd00::/16]:81"], "::1", &urls), urls[..1]);
    assert_eq!(through(&["[fd00::1]"], "::1", &urls), urls[..2]);
    assert_eq!(through(&["::/0"], "::1", &urls), urls);
    assert_eq!(
        through(&["0.0.0.0/0"], "127.0.0.1", &["http://127.0.0.1:1/", "http://[::1]/"]),
        ["http://127.0.0.1:1/"]
    );
}

#[test]
fn an_address_that_the_operator_wrote_opens_its_host_and_port_only() {
    let mut settings = Settings::default();
    settings.open("http://chat.internal:8065/hooks/x").unwrap();
    settings.open("https://10.0.0.7/api").unwrap();
    let egress = Egress::new(settings).unwrap();
    for open in ["http://chat.internal:8065/other", "https://10.0.0.7/"] {
        assert!(egress.check(open).is_ok(), "{open}");
    }
    for shut in ["http://chat.internal/", "https://10.0.0.7:8443/", "https://10.0.0.8/"] {
        assert!(egress.check(shut).is_err(), "{shut}");
    }
}

#[test]
fn what_is_no_entry_is_named() {
    let wrong = [
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.0/",
        "fd00::/129",
        "a:0",
        "a:70000",
        "a:b:c",
        "[::1",
        "[::1]x",
        "[a]",
        "*.acme",
        "a/b",
        "http://a",
        "a..b",
        "1.2.3",
        "a.",
    ];
    for entry in wrong {
        assert_eq!(AllowList::parse([entry]), Err(AllowError::Entry(entry.trim().to_owned())), "{entry:?}");
    }
    let many = vec!["10.0.0.1"; 1_001];
    assert_eq!(AllowList::parse(many), Err(AllowError::TooMany));
    insta::assert_snapshot!(AllowList::parse(["10.0.0/8"]).unwrap_err(), @r#""10.0.0/8" is neither a network (10.0.0.0/8, 10.1.2.3:8080, [fd00::/8]:443) nor a host (hooks.acme.example, hooks.acme.example:8443)"#);
}
