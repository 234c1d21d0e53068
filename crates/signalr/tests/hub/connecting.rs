//! Negotiate, redirects, upgrade, handshake, and every way in which they fail.

use std::time::Duration;

use tenfour_signalr::{HubError, Negotiation, State, Step};
use tokio::io::AsyncWriteExt;

use super::server::{Server, negotiation, soon, start};

#[tokio::test]
async fn negotiate_then_upgrade_with_the_token_the_cookies_and_our_headers() {
    let server = Server::start().await;
    let client = start(&format!("{}/?a=b", server.hub()), |b| b.header("X-Api", "own"), |_| ());
    let request = server.request().await;
    assert_eq!(request.line(), "POST /apiWsHub/negotiate?a=b&negotiateVersion=1");
    assert_eq!(request.header("content-length"), Some("0"), "IIS answers 411 without");
    assert_eq!(request.header("transfer-encoding"), None);
    assert_eq!(request.header("x-api"), Some("own"));
    assert!(request.header("user-agent").unwrap().starts_with("tenfour-signalr/"));
    request.reply(200, "Set-Cookie: ARR=one; Path=/; HttpOnly\r\nSet-Cookie: b=two=2\r\n", &negotiation("to+k/n=&x")).await;
    let request = server.request().await;
    assert_eq!(request.line(), "GET /apiWsHub/?a=b&id=to%2Bk%2Fn%3D%26x");
    assert_eq!(request.header("cookie"), Some("ARR=one; b=two=2"));
    assert_eq!(request.header("x-api"), Some("own"));
    assert_eq!((request.header("origin"), request.header("sec-websocket-protocol")), (None, None));
    let mut peer = request.upgrade().await;
    peer.shake("").await;
    peer.works(&client.hub).await;
    assert_eq!(client.ready().await, 1);
}

#[tokio::test]
async fn every_attempt_negotiates_afresh() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    for round in 1..=3 {
        let peer = server.shaken(&format!("token-{round}")).await;
        assert!(peer.target.contains(&format!("id=token-{round} ")), "{}", peer.target);
        client.until(|state| matches!(state, State::Ready { epoch, .. } if *epoch == round)).await;
    }
}

#[tokio::test]
async fn without_negotiation_the_socket_is_opened_directly() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.negotiation(Negotiation::Never), |_| ());
    let request = server.request().await;
    assert_eq!(request.line(), "GET /apiWsHub");
    let mut peer = request.upgrade().await;
    peer.shake("").await;
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn auto_tries_without_after_two_404_and_stays_with_what_works() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    server.request().await.reply(404, "", "").await;
    // The second kind of 404: the token is unknown where the socket is opened.
    server.request().await.negotiated("token-1").await;
    server.request().await.reply(404, "", "").await;
    for epoch in 1..=2 {
        let request = server.request().await;
        assert_eq!(request.line(), "GET /apiWsHub");
        let mut peer = request.upgrade().await;
        peer.shake("").await;
        client.until(|state| matches!(state, State::Ready { epoch: now, .. } if *now == epoch)).await;
    }
    let seen = client.policy.seen();
    assert!(seen[0].other_way_left && seen[1].other_way_left, "so that the 404 costs no long wait");
}

#[tokio::test]
async fn a_404_now_and_then_does_not_change_the_way() {
    let server = Server::start().await;
    let _client = start(&server.hub(), |b| b, |_| ());
    for _ in 0..3 {
        server.request().await.reply(404, "", "").await;
        drop(server.shaken("token").await);
    }
}

#[tokio::test]
async fn auto_goes_on_alternating_and_then_says_that_nothing_is_left() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    for method in ["POST", "POST", "GET", "GET", "POST"] {
        let request = server.request().await;
        assert!(request.line().starts_with(method), "{} instead of {method}", request.line());
        request.reply(404, "", "").await;
    }
    let seen = client.policy.nth(4).await;
    assert!(!seen.other_way_left);
    assert_eq!(seen.error, HubError::Refused { step: Step::Negotiate, status: 404, retry_after: None });
}

#[tokio::test]
async fn answers_to_negotiate_mean_what_they_should() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.negotiation(Negotiation::Always), |_| ());
    let after = Some(Duration::from_secs(7));
    let mut n = 0;
    for (status, headers, body) in [
        (401, "", ""),
        (403, "Retry-After: 7\r\n", "<html>firewall</html>"),
        (404, "", ""),
        (429, "Retry-After: 7\r\n", ""),
        (503, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:44 GMT\r\n", ""),
        (522, "", "<html>"),
        (302, "Location: /elsewhere\r\n", ""),
        (204, "", ""),
    ] {
        server.request().await.reply(status, headers, body).await;
        let error = client.policy.nth(n).await.error;
        let refused = matches!(error, HubError::Refused { step: Step::Negotiate, .. });
        let retry_after = error.retry_after();
        assert_eq!((error.status(), refused), (Some(status), matches!(status, 401 | 403 | 404)), "{error}");
        assert_eq!(retry_after, if headers.contains("Retry") { after } else { None }, "{status}");
        n += 1;
    }
    let long = format!("{{\"error\":\"{}\"}}", "x".repeat(100_000));
    for (body, words) in [
        ("<!doctype html>", "web page"),
        ("{", "JSON"),
        (r#"{"error":"too old"}"#, "too old"),
        (r#"{"negotiateVersion":1,"connectionId":"i","connectionToken":"t","availableTransports":[]}"#, "WebSockets"),
        (r#"{"useStatefulReconnect":true}"#, "stateful"),
        (r#"{"url":"ftp://x/"}"#, "followed"),
        (&long, "too long"),
    ] {
        server.request().await.reply(200, "", body).await;
        let error = client.policy.nth(n).await.error;
        assert!(matches!(error, HubError::Negotiate { status: None, .. }) && error.to_string().contains(words), "{error}");
        n += 1;
    }
    server.shaken("token").await.works(&client.hub).await;
}

#[tokio::test]
async fn answers_to_the_upgrade_mean_what_they_should() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.negotiation(Negotiation::Always), |_| ());
    for (n, status) in [400, 401, 403, 404, 409, 429, 200, 301, 503].into_iter().enumerate() {
        server.request().await.negotiated(&format!("token-{n}")).await;
        server.request().await.reply(status, "Retry-After: 7\r\n", "x").await;
        let error = client.policy.nth(n).await.error;
        let refused = matches!(error, HubError::Refused { step: Step::Upgrade, .. });
        assert_eq!((error.status(), refused), (Some(status), matches!(status, 401 | 403)), "{error}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
    server.shaken("token").await.works(&client.hub).await;
}

#[tokio::test]
async fn a_404_to_the_upgrade_without_a_token_is_a_wrong_address() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b.negotiation(Negotiation::Never), |_| ());
    server.request().await.reply(404, "", "").await;
    assert!(matches!(client.policy.nth(0).await.error, HubError::Refused { step: Step::Upgrade, status: 404, .. }));
}

#[tokio::test]
async fn a_redirected_negotiation_takes_its_token_along_and_the_next_one_begins_at_home() {
    let (home, away) = (Server::start().await, Server::start().await);
    let client = start(&home.hub(), |b| b.header("X-Api", "own"), |_| ());
    for round in 1..=2 {
        let request = home.request().await;
        assert_eq!(request.line(), "POST /apiWsHub/negotiate?negotiateVersion=1");
        assert_eq!(request.header("authorization"), None, "not the token of last time");
        let answer = format!(r#"{{"url":"http://{}/client/?hub=a","accessToken":"jwt-{round}"}}"#, away.address);
        request.reply(200, "Set-Cookie: home=1\r\n", &answer).await;
        let request = away.request().await;
        assert_eq!(request.line(), "POST /client/negotiate?hub=a&negotiateVersion=1");
        assert_eq!(request.header("authorization").unwrap(), format!("Bearer jwt-{round}"));
        assert_eq!(request.header("x-api"), None, "our headers stay at home");
        request.negotiated("away-token").await;
        let request = away.request().await;
        assert_eq!(request.line(), "GET /client/?hub=a&id=away-token");
        assert_eq!(request.header("authorization").unwrap(), format!("Bearer jwt-{round}"));
        let mut peer = request.upgrade().await;
        peer.shake("").await;
        peer.works(&client.hub).await;
    }
}

#[tokio::test]
async fn an_endless_chain_of_redirects_ends() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    for _ in 0..6 {
        let answer = format!(r#"{{"url":"{}","accessToken":"jwt-token"}}"#, server.hub());
        server.request().await.reply(200, "", &answer).await;
    }
    assert!(client.policy.nth(0).await.error.to_string().contains("redirects"));
}

#[tokio::test]
async fn a_308_is_followed_and_the_socket_opened_where_the_token_came_from() {
    let (home, away) = (Server::start().await, Server::start().await);
    let client = start(&home.hub(), |b| b, |_| ());
    let to = format!("Location: http://{}/moved/negotiate?negotiateVersion=1\r\n", away.address);
    home.request().await.reply(308, &to, "").await;
    let request = away.request().await;
    assert_eq!(request.line(), "POST /moved/negotiate?negotiateVersion=1");
    request.negotiated("token-a").await;
    let request = away.request().await;
    assert_eq!(request.line(), "GET /moved?id=token-a");
    let mut peer = request.upgrade().await;
    peer.shake("").await;
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_at_any_step_is_given_up() {
    let server = Server::start().await;
    let short = Duration::from_millis(150);
    let client = start(&server.hub(), |b| b.negotiate_timeout(short).connect_timeout(short).handshake_timeout(short), |_| ());
    let silent = server.request().await;
    let step = |seen: super::server::PolicyCall| match seen.error {
        HubError::Timeout { step, .. } => step,
        other => panic!("{other}"),
    };
    assert_eq!(step(client.policy.nth(0).await), Step::Negotiate);
    drop(silent);
    server.request().await.negotiated("token-a").await;
    let silent = server.request().await;
    assert_eq!(step(client.policy.nth(1).await), Step::Upgrade);
    drop(silent);
    let mut silent = server.open("token-b").await;
    assert!(silent.text().await.contains("protocol"));
    assert_eq!(step(client.policy.nth(2).await), Step::Handshake);
    // A body that never ends isn't an answer either.
    let mut half = server.connection().await;
    half.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{").await.unwrap();
    assert_eq!(step(client.policy.nth(3).await), Step::Negotiate);
    drop(half);
    server.shaken("token-c").await.works(&client.hub).await;
}

#[tokio::test]
async fn nobody_there_and_no_tls_there_are_network_trouble() {
    let server = Server::start().await;
    let client = start(&server.hub().replace("http:", "https:"), |b| b.negotiation(Negotiation::Never), |_| ());
    let mut plain = server.connection().await;
    plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = client.policy.nth(0).await.error;
    assert!(matches!(error, HubError::Io(_)), "{error}");
    drop((client, plain));

    let hub = server.hub();
    drop(server);
    let client = start(&hub, |b| b, |_| ());
    let error = client.policy.nth(1).await.error;
    assert!(matches!(error, HubError::Io(_)), "{error}");
    assert!(!error.to_string().contains("apiWsHub"), "{error}: addresses stay out of texts");
}

#[tokio::test]
async fn a_refused_handshake_is_reported_in_the_servers_words_without_the_token() {
    let server = Server::start().await;
    let client = start(&server.hub(), |b| b, |_| ());
    let mut peer = server.open("secret-token").await;
    peer.text().await;
    peer.say(r#"{"error":"no room for secret-token"}"#).await;
    let error = client.policy.nth(0).await.error;
    assert_eq!(error, HubError::Handshake { error: "no room for [secret]".to_owned() });
    let mut peer = server.open("secret-token").await;
    peer.text().await;
    peer.say(r#"{"type":1,"target":"x"}"#).await;
    assert!(matches!(client.policy.nth(1).await.error, HubError::Protocol(_)), "something else instead of the answer");
}

#[tokio::test]
async fn records_behind_the_handshake_answer_are_not_lost() {
    let server = Server::start().await;
    let mut events = None;
    let client = start(&server.hub(), |b| b, |task| events = Some(task.on("pushEvent", 10)));
    let mut events = events.unwrap();
    let mut peer = server.open("token-a").await;
    let event = |n: u8| format!("{{\"type\":1,\"target\":\"pushEvent\",\"arguments\":[{n}]}}\u{1e}");
    // The last one comes in two messages.
    let third = event(3);
    let (head, tail) = third.split_at(20);
    peer.shake(&format!("{}{}{head}", event(1), event(2))).await;
    peer.raw(tail).await;
    for n in ["1", "2", "3"] {
        assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), n);
    }
    drop(peer);
    let mut peer = server.open("token-b").await;
    peer.shake("{\"type\":7,\"error\":\"full\",\"allowReconnect\":true}\u{1e}").await;
    let seen = client.policy.nth(1).await;
    assert_eq!(seen.error, HubError::Closed { error: Some("full".to_owned()), allow_reconnect: true });
}
