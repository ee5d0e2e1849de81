//! The embedded AWS as a server: requests a second in process, over `iacsh sandbox serve`, and from a moto server on the
//! same calls; and a large account, listed page by page.
//!
//! The client is the same everywhere: the AWS SDK. In process its HTTP layer is replaced, with the other two it speaks over
//! loopback. Nothing is asserted. See `README.md` here.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures::stream::{self, StreamExt, TryStreamExt};
use iacsh::sandbox::{Options, Sandbox};

#[path = "../tests/it/peer.rs"]
mod peer;

/// So many rounds of calls; each round is one of every kind in [`round`].
const ROUNDS: usize = 200;
/// So many of them under way at once in the second measurement.
const AT_ONCE: usize = 8;
/// The large account.
const MANY: usize = 10_000;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let sandbox = Sandbox::open(folder.path(), Options::default())?;
    let in_process = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(sandbox.http_client())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .region(Region::new("eu-central-1"))
        .build();
    let server = Served::start()?;
    let moto = peer::Moto::start("benches/sandbox");

    println!("{:<28} {:>12} {:>14}", "requests a second", "one by one", "8 at once");
    let mut of_moto = None;
    if let Some(moto) = &moto {
        let config = remote(&format!("http://127.0.0.1:{}", moto.port), "testing", "testing").await;
        of_moto = Some(rates(&config).await?);
    }
    let served = rates(&remote(&server.endpoint, &server.key, &server.secret).await).await?;
    let embedded = rates(&in_process).await?;
    for (what, rate) in [
        ("in process", Some(embedded)),
        ("over serve", Some(served)),
        ("moto", of_moto),
    ] {
        let Some((single, many)) = rate else { continue };
        let ratio = |own: f64, other: f64| format!("{:.1} x moto", own / other);
        let (first, second) = match of_moto {
            Some((one, eight)) if what != "moto" => (ratio(single, one), ratio(many, eight)),
            _ => (String::new(), String::new()),
        };
        println!("{what:<28} {single:>12.0} {many:>14.0}   {first} {second}");
    }

    large_account(&in_process).await?;
    println!("peak memory of this process: {:.0} MB", peak_memory());
    Ok(())
}

/// The calls of one round: what an ordinary run sends most of.
async fn round(config: &SdkConfig, vpc: &str, number: usize) -> Result<usize, Failure> {
    let (ec2, ssm) = (aws_sdk_ec2::Client::new(config), aws_sdk_ssm::Client::new(config));
    let name = format!("/bench/{number}");
    let group = ec2
        .create_security_group()
        .group_name(format!("bench-{number}"))
        .description("bench")
        .vpc_id(vpc);
    let id = group.send().await?.group_id.unwrap_or_default();
    ec2.describe_security_groups().group_ids(&id).send().await?;
    ec2.describe_vpcs().vpc_ids(vpc).send().await?;
    let put = ssm.put_parameter().name(&name).value("value").overwrite(true);
    put.r#type(aws_sdk_ssm::types::ParameterType::String).send().await?;
    ssm.get_parameter().name(&name).send().await?;
    ssm.delete_parameter().name(&name).send().await?;
    ec2.delete_security_group().group_id(&id).send().await?;
    Ok(7)
}

/// Requests a second: one by one, and several at once.
async fn rates(config: &SdkConfig) -> Result<(f64, f64), Failure> {
    let ec2 = aws_sdk_ec2::Client::new(config);
    let made = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await?;
    let vpc = made.vpc.and_then(|vpc| vpc.vpc_id).unwrap_or_default();
    round(config, &vpc, ROUNDS * 2).await?;

    let (began, mut sent) = (Instant::now(), 0);
    for number in 0..ROUNDS {
        sent += round(config, &vpc, number).await?;
    }
    let single = sent as f64 / began.elapsed().as_secs_f64();

    let began = Instant::now();
    let counts: Vec<usize> = stream::iter(0..ROUNDS)
        .map(|number| round(config, &vpc, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let many = counts.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64();
    Ok((single, many))
}

/// What a page costs when the account is small, and when it is large.
async fn large_account(config: &SdkConfig) -> Result<(), Failure> {
    let ssm = aws_sdk_ssm::Client::new(config);
    let mut made = 0;
    let mut before = None;
    println!();
    for size in [100, MANY] {
        let began = Instant::now();
        let more = size - made;
        stream::iter(made..size)
            .map(|number| {
                let put = ssm.put_parameter().name(format!("/large/{number}")).value("value");
                put.r#type(aws_sdk_ssm::types::ParameterType::String).send()
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        let write = began.elapsed() / u32::try_from(more)?;
        made = size;

        let (began, mut pages, mut found) = (Instant::now(), 0_u32, 0);
        let mut listing = ssm.describe_parameters().max_results(50).into_paginator().send();
        while let Some(page) = listing.next().await {
            found += page?.parameters().len();
            pages += 1;
        }
        let page = began.elapsed() / pages.max(1);
        println!("{found:>6} parameters: {pages:>4} pages of 50, {page:>8.2?} a page, {write:>8.2?} a write");
        if let Some((page_before, write_before)) = before {
            let ratio = |now: Duration, then: Duration| now.as_secs_f64() / then.as_secs_f64();
            println!(
                "        a page costs {:.1} times that of the small account, a write {:.1} times",
                ratio(page, page_before),
                ratio(write, write_before)
            );
        }
        before = Some((page, write));
    }
    Ok(())
}

async fn remote(endpoint: &str, key: &str, secret: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(key, secret, None, None, "bench"))
        .load()
        .await
}

/// `iacsh sandbox serve` in a project of its own. It ends with this value.
struct Served {
    child: Child,
    endpoint: String,
    key: String,
    secret: String,
    _project: tempfile::TempDir,
}

impl Served {
    fn start() -> Result<Self, Failure> {
        let project = tempfile::tempdir()?;
        let environments = project.path().join("environments");
        std::fs::create_dir(&environments)?;
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/sandbox.toml");
        std::fs::copy(example, environments.join("sandbox.toml"))?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_iacsh"))
            .args(["--json", "sandbox", "serve", "--port", "0"])
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut text = String::new();
        let mut lines = BufReader::new(stdout).lines();
        let document: serde_json::Value = loop {
            text.push_str(&lines.next().ok_or("serve ended")??);
            if let Ok(document) = serde_json::from_str(&text) {
                break document;
            }
        };
        let of = |name: &str| document["aws"][name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            child,
            endpoint: of("endpoint"),
            key: of("access_key_id"),
            secret: of("secret_access_key"),
            _project: project,
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Peak resident memory in MB (10^6 bytes).
fn peak_memory() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a value of our own, and all zeros is a valid rusage.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    // In KiB on Linux, in bytes on macOS: getrusage(2).
    usage.ru_maxrss as f64 * if cfg!(target_os = "macos") { 1.0 } else { 1024.0 } / 1e6
}
