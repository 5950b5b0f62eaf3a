//! Endpoints that answer too much, too little, too late or something else: each is a record of bounded size, in words.

use super::*;

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Receiver::start(|_| Reply::ok("")).await;
    let location = elsewhere.url.clone();
    let receiver = Receiver::start(move |_| Reply::with(307, &[("location", &location)], "")).await;
    let response = deliver(&webhooks(), &receiver.url).await.response.unwrap();
    assert_eq!(response.status, 307);
    assert_eq!(response.headers[0], ("location".to_owned(), elsewhere.url.clone()));
    assert_eq!((receiver.heard().len(), elsewhere.connections()), (1, 0));
}

#[tokio::test]
async fn of_a_large_answer_the_beginning_is_kept() {
    // A character of three bytes lies across the end of what is kept.
    let receiver = Receiver::start(|_| Reply::ok(&"✓".repeat(2_000))).await;
    let response = deliver(&webhooks(), &receiver.url).await.response.unwrap();
    assert_eq!(response.body, "✓".repeat(4_096 / 3));
    assert!(response.truncated);

    let receiver = Receiver::start(|_| Reply::ok(&"x".repeat(4_096))).await;
    let response = deliver(&webhooks(), &receiver.url).await.response.unwrap();
    assert_eq!((response.body.len(), response.truncated), (4_096, false));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = || b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n".to_vec();
    for reply in [Reply::Flood as fn(Vec<u8>) -> Reply, Reply::Drip] {
        let receiver = Receiver::start(move |_| reply(endless())).await;
        let attempted = deliver(&hurried(), &receiver.url).await;
        let response = attempted.response.unwrap();
        assert_eq!((response.status, response.truncated), (200, true));
        assert!(response.body.len() <= 4_096);
        assert_eq!(attempted.error, None, "the endpoint has answered");
    }
}

#[tokio::test]
async fn of_many_headers_the_first_are_kept_and_too_many_are_no_answer() {
    let with = |bytes: usize| {
        let long = "v".repeat(bytes);
        move |_: &receiver::Heard| Reply::with(200, &[("a", "1"), ("b", &long), ("c", "2")], "")
    };
    let receiver = Receiver::start(with(16_000)).await;
    assert_eq!(deliver(&webhooks(), &receiver.url).await.response.unwrap().headers.len(), 4);
    let receiver = Receiver::start(with(17_000)).await;
    let response = deliver(&webhooks(), &receiver.url).await.response.unwrap();
    assert_eq!(response.headers, [("a".to_owned(), "1".to_owned())]);
    let receiver = Receiver::start(with(200_000)).await;
    insta::assert_snapshot!(failure(&webhooks(), &receiver.url).await, @"the connection broke: client error (SendRequest): message head is too large");
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    let receiver = Receiver::start(|_| Reply::Hang).await;
    insta::assert_snapshot!(failure(&hurried(), &receiver.url).await, @"no answer in time");
    let receiver = Receiver::start(|_| Reply::Close).await;
    insta::assert_snapshot!(failure(&webhooks(), &receiver.url).await, @"the connection broke: client error (SendRequest): connection closed before message completed");
    let receiver = Receiver::start(|_| Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())).await;
    insta::assert_snapshot!(failure(&webhooks(), &receiver.url).await, @"the connection broke: client error (SendRequest): invalid HTTP version parsed");
    assert_eq!(receiver.heard().len(), 1, "one attempt is one request");
    let receiver =
        Receiver::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    let response = deliver(&hurried(), &receiver.url).await.response.unwrap();
    assert_eq!((response.body.as_str(), response.truncated), ("half", true));
}

#[tokio::test]
async fn what_an_endpoint_sends_that_is_no_text_is_kept_as_text() {
    let answer = b"HTTP/1.1 400 Bad\r\nx-odd: \xff\r\ncontent-length: 3\r\n\r\na\xffb".to_vec();
    let receiver = Receiver::start(move |_| Reply::Bytes(answer.clone())).await;
    let response = deliver(&webhooks(), &receiver.url).await.response.unwrap();
    assert_eq!((response.body.as_str(), response.truncated), ("a\u{fffd}b", false));
    assert_eq!(response.headers[0], ("x-odd".to_owned(), "\u{fffd}".to_owned()));
}
