//! Whom the contract suite calls: the AWS of an environment, or a sandbox of its own.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;

use super::cloud;
use super::folder::Folder;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::sandbox::contract::Client;
use crate::sandbox::contract::client::embedded::Embedded;
use crate::sandbox::contract::client::remote::Remote;

/// How many cases run at once on AWS. An account has 5 VPCs in a region unless more were asked for, one of which is
/// there from the start (Amazon VPC quotas).
const AT_ONCE: usize = 3;

/// What answers instead of AWS is quick, or does something never.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(10);

/// Where the suite runs.
pub struct Peer {
    pub clients: Vec<Arc<dyn Client>>,
    /// Whether it is AWS, or what answers at the environment's address.
    pub is_remote: bool,
    /// Goes with this value.
    _folder: Option<Folder>,
}

/// Makes the clients. Nothing is called yet.
///
/// # Errors
/// The environment is protected or does not say its account, so that nobody can have meant it for this.
pub async fn open(environment: &Environment) -> Result<Peer> {
    if environment.aws.is_sandbox() {
        let folder = Folder::new("conformance");
        let client: Arc<dyn Client> = Arc::new(Embedded::open(folder.path())?);
        return Ok(Peer {
            clients: vec![client],
            is_remote: false,
            _folder: Some(folder),
        });
    }
    let name = &environment.name;
    if environment.protect {
        return Err(Error::declined(format!(
            "{name} is protected: the contract suite runs in a scratch account only"
        )));
    }
    let Some(account) = &environment.aws.account else {
        return Err(Error::declined(format!(
            "environments/{name}.toml does not say its account: the contract suite runs only where `account` names the \
             scratch account"
        )));
    };
    let config = cloud::remote(environment).await;
    let credentials = config
        .credentials_provider()
        .ok_or_else(|| Error::config("there are no AWS credentials").hint("sign in as for the AWS CLI"))?;
    let credentials = SharedCredentialsProvider::new(credentials);
    let remote = || {
        let endpoint = environment.aws.endpoint.as_deref();
        let mut remote = Remote::new(&environment.aws.region, account, endpoint, credentials.clone());
        remote.most = endpoint.map(|_| PATIENCE_WITH_OTHERS);
        remote
    };
    Ok(Peer {
        clients: (0..AT_ONCE).map(|_| Arc::new(remote()) as Arc<dyn Client>).collect(),
        is_remote: true,
        _folder: None,
    })
}
