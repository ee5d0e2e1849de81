//! The server as the real SDK meets it over a socket, and as nobody should.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::sandbox::aws::rules::{Effect, Rule};
use crate::sandbox::{Clock, Options, Sandbox};

/// A server on a free port.
struct Served {
    _dir: tempfile::TempDir,
    sandbox: Sandbox,
    keys: Keys,
    endpoint: String,
    end: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new(clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(dir.path(), Options::default()).unwrap();
        let keys = Keys::generate();
        let listener = listen([127, 0, 0, 1].into(), 0).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (end, ending) = watch::channel(false);
        let server = Server {
            clock,
            ..Server::new(sandbox.aws().clone(), keys.clone())
        };
        let running = tokio::spawn(server.run(listener, ending));
        Self {
            _dir: dir,
            sandbox,
            keys,
            endpoint,
            end,
            running,
        }
    }

    fn config(&self, id: &str, secret: &str) -> SdkConfig {
        let credentials = Credentials::new(id, secret, None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new("eu-central-1"))
            .retry_config(aws_config::retry::RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .build()
    }

    fn signed(&self) -> SdkConfig {
        self.config(&self.keys.id, self.keys.secret.expose())
    }

    /// The codes of an EC2, a Query and a JSON service, of a call with this configuration.
    async fn codes(&self, config: &SdkConfig) -> [Option<String>; 3] {
        let code = |error: &dyn ProvideErrorMetadata| error.code().map(str::to_owned);
        [
            aws_sdk_ec2::Client::new(config)
                .describe_vpcs()
                .send()
                .await
                .map_or_else(|error| code(&error), |_| None),
            aws_sdk_iam::Client::new(config)
                .list_roles()
                .send()
                .await
                .map_or_else(|error| code(&error), |_| None),
            aws_sdk_ecs::Client::new(config)
                .list_clusters()
                .send()
                .await
                .map_or_else(|error| code(&error), |_| None),
        ]
    }
}

fn codes(codes: [&str; 3]) -> [Option<String>; 3] {
    codes.map(|code| Some(code.to_owned()))
}

#[tokio::test]
async fn the_sdk_is_served_over_a_socket_and_sees_what_the_process_sees() {
    let served = Served::new(Clock::System).await;
    let config = served.signed();
    assert_eq!(served.codes(&config).await, [None, None, None]);
    let ec2 = aws_sdk_ec2::Client::new(&config);
    ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let within = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(served.sandbox.http_client())
        .credentials_provider(config.credentials_provider().unwrap())
        .region(Region::new("eu-central-1"))
        .build();
    let seen = aws_sdk_ec2::Client::new(&within).describe_vpcs().send().await.unwrap();
    assert_eq!(seen.vpcs().len(), 1);
}

#[tokio::test]
async fn other_keys_are_refused_in_each_protocols_words() {
    let served = Served::new(Clock::System).await;
    let wrong_secret = served.config(&served.keys.id, "wrong");
    assert_eq!(
        served.codes(&wrong_secret).await,
        codes(["AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"])
    );
    let unknown = served.config("AKIAIOSFODNN7EXAMPLE", "wrong");
    assert_eq!(
        served.codes(&unknown).await,
        codes(["AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"])
    );
}

#[tokio::test]
async fn an_old_signature_is_refused_in_each_protocols_words() {
    let later = Clock::System.now() + 3_600_000;
    let served = Served::new(Clock::Manual(Arc::new(AtomicI64::new(later)))).await;
    assert_eq!(
        served.codes(&served.signed()).await,
        codes(["RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException"])
    );
}

#[tokio::test]
async fn faults_by_rule_meet_strangers_too() {
    let served = Served::new(Clock::System).await;
    let inject = |times, effect| {
        let rules = served.sandbox.aws().rules();
        rules.clear().unwrap();
        let rule = Rule {
            times,
            ..Rule::new("ec2", "*", effect)
        };
        rules.add(rule).unwrap();
    };
    let ec2 = aws_sdk_ec2::Client::new(&served.signed());
    inject(Some(1), Effect::LoseAnswer);
    ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    assert_eq!(ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 2);
    inject(None, Effect::Unreachable);
    let error = ec2.describe_vpcs().send().await.unwrap_err();
    assert!(error.as_service_error().is_none(), "{error:?}");
    inject(
        None,
        Effect::fail(&Fault::new("UnauthorizedOperation", "no").status(403)),
    );
    let error = ec2.describe_vpcs().send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnauthorizedOperation"));
}

#[tokio::test]
async fn the_end_closes_idle_connections() {
    let served = Served::new(Clock::System).await;
    assert_eq!(served.codes(&served.signed()).await, [None, None, None]);
    served.end.send_replace(true);
    // The SDK keeps its connections open.
    tokio::time::timeout(GRACE / 2, served.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_waits_for_a_request_that_has_begun() {
    let (served, mut peer) = connection().await;
    peer.write_all(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nAct")
        .await
        .unwrap();
    served.end.send_replace(true);
    peer.write_all(b"ion").await.unwrap();
    let mut text = String::new();
    peer.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("MissingAuthenticationToken"), "{text}");
    assert!(text.contains("connection: close"), "{text}");
}

/// A connection to a server without a socket.
async fn connection() -> (Served, DuplexStream) {
    let served = Served::new(Clock::System).await;
    let (peer, stream) = duplex(1 << 20);
    let server = Server::new(served.sandbox.aws().clone(), served.keys.clone());
    let ending = served.end.subscribe();
    tokio::spawn(async move { server.connection(stream, ending).await });
    (served, peer)
}

#[tokio::test]
async fn two_requests_on_one_connection_and_the_second_closes_it() {
    let (_served, mut peer) = connection().await;
    let unsigned = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nAction";
    let last = unsigned.replace("Host: x", "Host: x\r\nConnection: close");
    peer.write_all(format!("{unsigned}{last}").as_bytes()).await.unwrap();
    let mut text = String::new();
    peer.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 403 Forbidden").count(), 2, "{text}");
    assert_eq!(
        text.matches("<Code>MissingAuthenticationToken</Code>").count(),
        2,
        "{text}"
    );
    assert_eq!(text.matches("connection: close").count(), 1, "{text}");
}

#[tokio::test]
async fn an_unsigned_json_request_is_told_in_json() {
    let (_served, mut peer) = connection().await;
    peer.write_all(b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSSM.GetParameter\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    peer.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert!(
        text.contains(r#"{"__type":"MissingAuthenticationTokenException""#),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_no_http_is_told_so_and_hung_up() {
    let (_served, mut peer) = connection().await;
    peer.write_all(b"EHLO example.org\r\n\r\n").await.unwrap();
    let mut text = String::new();
    peer.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request"), "{text}");
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let error = listen([0, 0, 0, 0].into(), 0).await.unwrap_err();
    assert_eq!(error.exit(), crate::error::Exit::Usage);
    assert!(error.message().contains("0.0.0.0 is not loopback"), "{error}");
    let taken = listen([127, 0, 0, 1].into(), 0).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = listen([127, 0, 0, 1].into(), port).await.unwrap_err();
    assert!(error.help().unwrap().contains("another program"), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    /// Whatever comes, the server answers in HTTP, or the peer has not finished; and it does not break.
    #[test]
    fn any_bytes_are_answered_or_waited_for(
        head in proptest::prop_oneof![
            proptest::prelude::Just(String::new()),
            "(GET|POST|\\PC{0,5}) /\\PC{0,20} HTTP/1.[01]\r\n",
        ],
        headers in proptest::collection::vec(
            "(Content-Length|Transfer-Encoding|Expect|Connection|Authorization|X-Amz-Date|X-Amz-Target|\\PC{0,8}): \\PC{0,60}\r\n",
            0..6,
        ),
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answered = runtime.block_on(async {
            let (_served, mut peer) = connection().await;
            peer.write_all(format!("{head}{}\r\n", headers.concat()).as_bytes()).await.unwrap();
            // The server may have hung up already.
            let _ = peer.write_all(&body).await;
            let _ = peer.shutdown().await;
            let mut text = Vec::new();
            peer.read_to_end(&mut text).await.unwrap();
            text
        });
        proptest::prop_assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 "), "{answered:?}");
    }
}
