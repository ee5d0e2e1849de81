//! iacsh beside its neighbours: the same environment made, planned with nothing to change, planned after a drift and
//! destroyed, by iacsh, by Terraform with its AWS provider, and made by a boto3 script as a yardstick; each on a moto server
//! of its own. Wall time, CPU time and peak memory are of the tool, as the system accounts them for a finished process and
//! the processes that it waited for; requests are those that moto tells in its log. And how that grows with more resources.
//!
//! Nothing is asserted. A neighbour that is missing is left out, and that is said. See `README.md` here.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_ec2::types::{IpPermission, IpRange};

#[allow(dead_code, reason = "it is the tests' too")]
#[path = "../tests/it/peer.rs"]
mod peer;
#[path = "../tests/it/strangers/provider.rs"]
mod provider;

/// How many more security groups, parameters and log groups.
const MORE: [usize; 3] = [0, 100, 500];

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")];
const CONNECTION: &str = "Server=db.example.com;User Id=app;Password=swordfish";
const REGION: &str = "eu-central-1";

type Failure = Box<dyn std::error::Error>;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/neighbours")
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Some(python) = peer::python("benches/neighbours", "moto[server]==5.2.1", "moto.server, boto3") else {
        return Ok(());
    };
    let terraform = provider::mirror().filter(|_| {
        let ran = Command::new("terraform").arg("version").output();
        ran.is_ok_and(|output| output.status.success())
    });
    if terraform.is_none() {
        peer::skipped("benches/neighbours", "Terraform", "it or its AWS provider is not found");
    }
    println!(
        "{:<10} {:<28} {:>6} {:>8} {:>7} {:>9} {:>7}",
        "tool", "phase", "more", "wall s", "CPU s", "requests", "MB"
    );
    for more in MORE {
        iacsh(&python, more).await?;
        if let Some(mirror) = &terraform {
            self::terraform(&python, mirror, more).await?;
        }
        let moto = Moto::start(&python).await?;
        let mut command = Command::new(&python);
        command
            .arg(here().join("create.py"))
            .arg(&moto.endpoint)
            .arg(more.to_string());
        moto.measure("boto3", "create", more, command, &[0])?;
    }
    Ok(())
}

/// iacsh in a project folder of its own.
async fn iacsh(python: &Path, more: usize) -> Result<(), Failure> {
    let moto = Moto::start(python).await?;
    let project = tempfile::tempdir()?;
    for folder in ["environments", "scripts"] {
        std::fs::create_dir(project.path().join(folder))?;
    }
    let environment = std::fs::read_to_string(here().join("environment.toml"))?;
    let environment = environment.replace("http://127.0.0.1:PORT", &moto.endpoint);
    std::fs::write(project.path().join("environments/neighbour.toml"), environment)?;
    std::fs::copy(
        here().join("environment.rhai"),
        project.path().join("scripts/environment.rhai"),
    )?;
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iacsh"));
        command
            .args(["--env", "neighbour"])
            .args(args)
            .current_dir(project.path());
        command.env("CONNECTION_STRING", CONNECTION);
        command
    };
    let count = more.to_string();
    let main = |option: &'static str| {
        let mut command = run(&["scripts/environment.rhai", "--more", &count]);
        command.args(Some(option).filter(|option| !option.is_empty()));
        command
    };
    moto.measure("iacsh", "create", more, main(""), &[0])?;
    moto.measure("iacsh", "plan, nothing to change", more, main("--plan"), &[0])?;
    if more == 0 {
        drift(&moto.config().await, "identity-neighbour").await?;
        let said = moto.measure("iacsh", "plan after the drift", more, main("--plan"), &[0, 2])?;
        told("iacsh", &said);
        moto.measure("iacsh", "put right", more, main(""), &[0])?;
        moto.measure("iacsh", "plan, nothing to change", more, main("--plan"), &[0])?;
    }
    moto.measure("iacsh", "destroy", more, run(&["destroy", "--yes"]), &[0])?;
    Ok(())
}

async fn terraform(python: &Path, mirror: &Path, more: usize) -> Result<(), Failure> {
    let moto = Moto::start(python).await?;
    let folder = tempfile::tempdir()?;
    std::fs::copy(here().join("main.tf"), folder.path().join("main.tf"))?;
    let mirror = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n");
    std::fs::write(folder.path().join("terraform.rc"), mirror)?;
    let run = |args: &[&str]| {
        let mut command = Command::new("terraform");
        command
            .args(args)
            .args(["-input=false", "-no-color"])
            .current_dir(folder.path());
        command
            .env("TF_CLI_CONFIG_FILE", folder.path().join("terraform.rc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ENDPOINT_URL", &moto.endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("TF_VAR_more", more.to_string())
            .env("TF_VAR_connection_string", CONNECTION);
        command
    };
    let ended = run(&["init"]).stdout(Stdio::null()).status()?;
    if !ended.success() {
        return Err("terraform init failed".into());
    }
    let plan = || run(&["plan", "-detailed-exitcode"]);
    moto.measure("terraform", "create", more, run(&["apply", "-auto-approve"]), &[0])?;
    moto.measure("terraform", "plan, nothing to change", more, plan(), &[0, 2])?;
    if more == 0 {
        drift(&moto.config().await, "identity-neighbour").await?;
        let said = moto.measure("terraform", "plan after the drift", more, plan(), &[0, 2])?;
        told("terraform", &said);
    }
    moto.measure("terraform", "destroy", more, run(&["destroy", "-auto-approve"]), &[0])?;
    Ok(())
}

/// What somebody does by hand: Redis is opened to the world, and the task may do anything.
async fn drift(config: &SdkConfig, name: &str) -> Result<(), Failure> {
    let ec2 = aws_sdk_ec2::Client::new(config);
    let by_name = aws_sdk_ec2::types::Filter::builder().name("group-name");
    let groups = ec2
        .describe_security_groups()
        .filters(by_name.values(format!("{name}-redis")).build());
    let groups = groups.send().await?;
    let group = groups.security_groups().first().and_then(|group| group.group_id());
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(6379)
        .to_port(6379)
        .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
    let call = ec2
        .authorize_security_group_ingress()
        .group_id(group.ok_or("there is no group of Redis")?);
    call.ip_permissions(rule.build()).send().await?;
    let iam = aws_sdk_iam::Client::new(config);
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let call = iam.put_role_policy().role_name(format!("{name}-task"));
    call.policy_name("by-hand").policy_document(everything).send().await?;
    Ok(())
}

/// The lines of a plan that say what it found.
fn told(tool: &str, said: &str) {
    let words = ["0.0.0.0/0", "by-hand", "No changes", "change", "Plan:"];
    for line in said.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
        println!("    {tool} says: {}", line.trim());
    }
}

/// moto, with its log read. It ends with this value.
struct Moto {
    child: Child,
    endpoint: String,
    requests: Arc<AtomicU64>,
}

impl Moto {
    async fn start(python: &Path) -> Result<Self, Failure> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut child = Command::new(python)
            .arg(here().join("server.py"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_ECS_SERVICE_RUNNING", "1")
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let requests = Arc::<AtomicU64>::default();
        let (log, count) = (child.stderr.take().ok_or("no log")?, requests.clone());
        std::thread::spawn(move || {
            let lines = BufReader::new(log).lines().map_while(Result::ok);
            for _ in lines.filter(|line| line.contains(" HTTP/1.1\" ")) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > end {
                return Err("moto does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let moto = Self {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
            requests,
        };
        moto.warm().await?;
        Ok(moto)
    }

    /// moto loads a service with the first request for it, which takes seconds: that is nobody's.
    async fn warm(&self) -> Result<(), Failure> {
        let config = self.config().await;
        let ec2 = aws_sdk_ec2::Client::new(&config);
        ec2.describe_vpcs().send().await?;
        ec2.describe_subnets().send().await?;
        aws_sdk_iam::Client::new(&config).list_roles().send().await?;
        aws_sdk_sts::Client::new(&config).get_caller_identity().send().await?;
        aws_sdk_ecs::Client::new(&config).list_clusters().send().await?;
        aws_sdk_ssm::Client::new(&config).describe_parameters().send().await?;
        aws_sdk_secretsmanager::Client::new(&config)
            .list_secrets()
            .send()
            .await?;
        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config);
        elb.describe_load_balancers().send().await?;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
        logs.describe_log_groups().send().await?;
        let cache = aws_sdk_elasticache::Client::new(&config);
        cache.describe_replication_groups().send().await?;
        let tags = aws_sdk_resourcegroupstagging::Client::new(&config);
        tags.get_resources().send().await?;
        Ok(())
    }

    async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::for_tests())
            .load()
            .await
    }

    /// The requests so far, once the log has come to rest.
    fn count(&self) -> u64 {
        loop {
            let before = self.requests.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(200));
            if self.requests.load(Ordering::Relaxed) == before {
                return before;
            }
        }
    }

    /// Runs a tool to its end, prints what it took, and gives what it printed.
    fn measure(
        &self,
        tool: &str,
        phase: &str,
        more: usize,
        mut command: Command,
        right: &[i32],
    ) -> Result<String, Failure> {
        let before = self.count();
        let log = tempfile::NamedTempFile::new()?;
        let out = log.reopen()?;
        command
            .envs(KEYS)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let began = Instant::now();
        let child = command.spawn()?;
        let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
        // SAFETY: the id is our own child's, which nobody else waits for, and both pointers are to values of our own.
        let waited = unsafe { libc::wait4(child.id().cast_signed(), &mut status, 0, usage.as_mut_ptr()) };
        let wall = began.elapsed();
        // SAFETY: wait4 has filled it, and all zeros is a valid rusage.
        let usage = unsafe { usage.assume_init() };
        let said = std::fs::read_to_string(log.path())?;
        let code = libc::WEXITSTATUS(status);
        if waited <= 0 || !libc::WIFEXITED(status) || !right.contains(&code) {
            let program = command.get_program().display().to_string();
            let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
            return Err(format!("{program} {} ended with {code}: {said}", args.join(" ")).into());
        }
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
        // In KiB on Linux, in bytes on macOS: getrusage(2).
        let memory = usage.ru_maxrss as f64 * if cfg!(target_os = "macos") { 1.0 } else { 1024.0 } / 1e6;
        println!(
            "{tool:<10} {phase:<28} {more:>6} {:>8.2} {cpu:>7.2} {:>9} {memory:>7.0}",
            wall.as_secs_f64(),
            self.count() - before,
        );
        Ok(said)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
