//! Planned faults of REST.

use super::client::{bot, read};
use super::*;

#[tokio::test]
async fn a_fault_hits_what_it_names_as_often_as_it_says() {
    let bot = bot().await;
    let path = format!("/channels/{}/messages", bot.channel);
    bot.sim.fail("POST", "/messages", 503, 2);
    assert_eq!(bot.get(&path).await.0, 200, "another method");
    for status in [503, 503, 200] {
        assert_eq!(bot.call(Method::POST, &path, json!({"content": "x"})).await.0, status);
    }
    assert_eq!(bot.seen().len(), 1, "a failed request does nothing");
    bot.sim.fail_with("*", "/users/@me", 403, json!({"message": "Missing Access", "code": 50001}), 1);
    assert_eq!(bot.get("/users/@me").await, (403, json!({"message": "Missing Access", "code": 50001})));
    bot.sim.fail("*", "/", 500, 99);
    bot.sim.clear_faults();
    assert_eq!(bot.get("/users/@me").await.0, 200);
}

#[tokio::test]
async fn a_planned_429_looks_like_a_real_one() {
    let bot = bot().await;
    for (scope, name, global, counts) in
        [(Scope::User, "user", false, 1), (Scope::Shared, "shared", false, 1), (Scope::Global, "global", true, 2)]
    {
        bot.sim.rate_limit_next(scope, 1_250, 1);
        let response = bot.request(Method::GET, "/users/@me").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["x-ratelimit-scope"].to_str().unwrap()), (429, name));
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers().contains_key("x-ratelimit-global"), global);
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["retry_after"], &body["global"]), (&json!(1.25), &json!(global)));
        assert_eq!(bot.sim.invalid_requests(), counts, "shared ones do not count towards the ban");
    }
    bot.sim.rate_limit_next(Scope::Global, 1_000, 1);
    assert_eq!(bot.call(Method::POST, "/interactions/5/token/callback", json!({"type": 5})).await.0, 404, "spared");
    assert_eq!(bot.get("/users/@me").await.0, 429);
}

#[tokio::test]
async fn the_answer_may_be_lost_late_missing_or_nonsense() {
    let bot = bot().await;
    let path = format!("/channels/{}/messages", bot.channel);
    bot.sim.do_then_drop("POST", "/messages", 1);
    let lost = bot.request(Method::POST, &path).json(&json!({"content": "done"})).send().await;
    assert!(lost.is_err(), "no answer may come");
    assert_eq!(bot.seen()[0]["content"], "done", "but the work is done");
    bot.sim.garbage("GET", "/users/@me", 1);
    let nonsense = bot.request(Method::GET, "/users/@me").send().await.unwrap();
    assert_eq!(nonsense.status(), 200);
    assert!(nonsense.text().await.unwrap().starts_with("<html>"));
    bot.sim.hang("POST", "/messages", 1);
    let hung = bot.request(Method::POST, &path).json(&json!({"content": "never"})).timeout(Duration::from_millis(200)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    assert_eq!(bot.seen().len(), 1);
    bot.sim.delay("POST", "/messages", 300, 1);
    let began = std::time::Instant::now();
    let late = bot.request(Method::POST, &path).json(&json!({"content": "late"})).send().await.unwrap();
    assert_eq!(read(late).await.0, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    let statuses: Vec<Value> = bot.sim.requests().iter().map(|r| r["status"].clone()).collect();
    assert_eq!(statuses, [0, 200, 0, 200]);
    // A hung request does not keep the simulator from stopping.
    bot.sim.hang("GET", "/users/@me", 1);
    let request = bot.request(Method::GET, "/users/@me").send();
    let hanging = tokio::spawn(request);
    bot.sim.wait_request(SOON, |r| r["path"] == "/api/v10/users/@me" && r["status"] == 0).await.unwrap();
    tokio::time::timeout(SOON, bot.sim.stop()).await.expect("stop waits for the hung request");
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn a_moderator_may_delete_behind_the_bots_back() {
    let bot = bot().await;
    let made = bot.post(json!({"content": "x"})).await;
    let id = made["id"].as_str().unwrap();
    assert!(!bot.sim.delete_message("1", id));
    assert!(bot.sim.delete_message(&bot.channel, id));
    assert!(!bot.sim.delete_message(&bot.channel, id));
    let path = format!("/channels/{}/messages/{id}", bot.channel);
    assert_eq!(bot.call(Method::PATCH, &path, json!({"content": "y"})).await.1["code"], 10008);
}

#[tokio::test]
async fn a_dropped_request_does_nothing_and_a_late_one_is_done_whoever_waits() {
    let bot = bot().await;
    let path = format!("/channels/{}/messages", bot.channel);
    bot.sim.drop_requests("POST", "/messages", 1);
    assert!(bot.request(Method::POST, &path).json(&json!({"content": "dropped"})).send().await.is_err());
    assert_eq!(bot.seen().len(), 0);
    bot.sim.late("POST", "/messages", 400, 1);
    let late = bot.request(Method::POST, &path).json(&json!({"content": "first"})).timeout(Duration::from_millis(100)).send().await;
    assert!(late.unwrap_err().is_timeout());
    bot.post(json!({"content": "second"})).await;
    bot.sim.wait_message(&bot.channel, SOON, |m| m["content"] == "first").await.unwrap();
    let order: Vec<Value> = bot.seen().iter().map(|m| m["content"].clone()).collect();
    assert_eq!(order, ["second", "first"]);
}

/// The outcomes of so many requests with random faults: statuses, 0 for none.
async fn under(noise: tenfour_sim::discord::Noise) -> Vec<u16> {
    let bot = bot().await;
    bot.sim.noise(noise);
    let mut statuses = Vec::new();
    for _ in 0..200 {
        let answer = bot.request(Method::GET, "/users/@me").send().await;
        statuses.push(match answer {
            Ok(answer) if answer.headers()["content-type"] == "text/html" => 1,
            Ok(answer) => answer.status().as_u16(),
            Err(_) => 0,
        });
    }
    bot.sim.clear_faults();
    for _ in 0..50 {
        assert_eq!(bot.get("/users/@me").await.0, 200);
    }
    statuses
}

#[tokio::test]
async fn noise_is_of_all_that_was_asked_for_and_the_same_for_a_seed() {
    use tenfour_sim::discord::Noise;
    let path_part = "/users".to_owned();
    let noise = Noise {
        seed: 7,
        path_part,
        fail: 150,
        rate_limit: 100,
        garbage: 100,
        drop: 50,
        do_then_drop: 50,
        delay: 50,
        late: 50,
        most_ms: 5,
        hang: 0,
    };
    let once = under(noise.clone()).await;
    assert_eq!(once, under(noise.clone()).await);
    assert_ne!(once, under(Noise { seed: 8, ..noise.clone() }).await);
    for status in [0, 1, 200, 429, 500, 502, 503] {
        assert!(once.contains(&status), "no {status} in {once:?}");
    }
    let elsewhere = under(Noise { path_part: "/channels".into(), ..noise }).await;
    assert!(elsewhere.iter().all(|status| *status == 200), "{elsewhere:?}");
}

#[tokio::test]
async fn limits_are_switched_while_it_runs() {
    use tenfour_sim::discord::Bucket;
    let bot = bot().await;
    let path = format!("/channels/{}/messages", bot.channel);
    let mut statuses = Vec::new();
    for on in [RateLimits::Real, RateLimits::Off] {
        bot.sim.set_rate_limits(on, Bucket { limit: 2, window_ms: 60_000 });
        for _ in 0..3 {
            statuses.push(bot.call(Method::POST, &path, json!({"content": "x"})).await.0);
        }
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 200]);
}
