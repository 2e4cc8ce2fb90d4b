//! Many sandboxes at once from one process: `cargo run --example parallel -- SOCKET IMAGE COUNT`.
//!
//! Each is created, attached to, started, read to its end and removed. Prints how long all of them
//! took together.

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use stockade::libpod::{Client, ContainerSpec, Endpoint, Namespace};
use stockade::sandbox::Sandbox;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, image, count] = arguments.as_slice() else {
        return Err("usage: parallel SOCKET IMAGE COUNT".into());
    };
    let count: usize = count.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(all(socket, image, count))
}

async fn all(socket: &str, image: &str, count: usize) -> Result<(), Failure> {
    let client = Client::connect(&Endpoint::unix(socket)).await?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(one(client.clone(), image.to_owned(), number));
    }
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{count} sandboxes in {seconds:.2} s")?;
    Ok(())
}

async fn one(client: Client, image: String, number: usize) -> Result<(), Failure> {
    let spec = ContainerSpec {
        image,
        command: vec!["echo".to_owned(), number.to_string()],
        netns: Some(Namespace::new("none")),
        cap_drop: vec!["all".to_owned()],
        no_new_privileges: true,
        ..ContainerSpec::default()
    };
    let (sandbox, _) = Sandbox::create(&client, &spec).await?;
    let finished = run(&sandbox, number).await;
    // Whatever happened, nothing is left.
    sandbox.remove().await?;
    finished
}

async fn run(sandbox: &Sandbox, number: usize) -> Result<(), Failure> {
    let mut attached = sandbox.attach(false).await?;
    let watch = sandbox.watch();
    sandbox.start().await?;
    let mut output = Vec::new();
    while let Some(chunk) = attached.output.next().await? {
        output.extend_from_slice(&chunk.bytes);
    }
    let outcome = sandbox.outcome(watch).await?;
    if outcome.exit_code != 0 || output != format!("{number}\n").into_bytes() {
        return Err(format!("sandbox {number}: exit code {}", outcome.exit_code).into());
    }
    Ok(())
}
