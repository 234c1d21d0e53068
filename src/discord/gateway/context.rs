//! Builds the context that serenity's and poise's handlers need, without serenity's shards.
//!
//! A context needs a messenger, which only a shard runner can create; that needs a shard, which is created by connecting. So a shard
//! connects to ourselves once, over loopback, and is dropped: nothing is ever sent through it, and it gets no secret.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context as _;
use serenity::all::{Client, Context, GatewayIntents, Shard, ShardId, ShardInfo, ShardMessenger, ShardRunner, ShardRunnerOptions};
use tokio::net::TcpListener;

/// The context of `client`'s handlers.
pub(super) async fn context(client: &Client, intents: GatewayIntents) -> anyhow::Result<Context> {
    let messenger = messenger(client, intents).await.context("no loopback connection can be made")?;
    Ok(Context { data: Arc::clone(&client.data), shard: messenger, shard_id: ShardId(0), http: Arc::clone(&client.http) })
}

async fn messenger(client: &Client, intents: GatewayIntents) -> anyhow::Result<ShardMessenger> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = Arc::new(tokio::sync::Mutex::new(format!("ws://{}", listener.local_addr()?)));
    let answered = async {
        let (stream, _) = listener.accept().await?;
        anyhow::Ok(tokio_tungstenite::accept_async(stream).await?)
    };
    let made = async { anyhow::Ok(Shard::new(url, "", ShardInfo { id: ShardId(0), total: 1 }, intents, None).await?) };
    let (_peer, shard) = tokio::try_join!(answered, made)?;
    let runner = ShardRunner::new(ShardRunnerOptions {
        data: Arc::clone(&client.data),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        framework: None,
        manager: Arc::clone(&client.shard_manager),
        shard,
        http: Arc::clone(&client.http),
    });
    Ok(ShardMessenger::new(&runner))
}
