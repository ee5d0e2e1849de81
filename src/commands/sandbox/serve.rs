//! `iacsh sandbox serve`.

use std::net::IpAddr;
use std::path::Path;

use futures::future::OptionFuture;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::{Options, Serve};
use crate::commands::Signals;
use crate::environment::Environment;
use crate::error::{Error, Exit, Result};
use crate::output::Printer;
use crate::sandbox::mssql::Login;
use crate::sandbox::serve::{Keys, Server, listen, sql};
use crate::session::serve::{Served, keys, open};

/// The services as the Terraform provider calls them in `endpoints`, beside the sandbox's names.
const TERRAFORM: [(&str, &str); 14] = [
    ("acm", "acm"),
    ("ec2", "ec2"),
    ("ecr", "ecr"),
    ("ecs", "ecs"),
    ("elasticache", "elasticache"),
    ("elasticloadbalancing", "elbv2"),
    ("iam", "iam"),
    ("logs", "logs"),
    ("rds", "rds"),
    ("route53", "route53"),
    ("secretsmanager", "secretsmanager"),
    ("ssm", "ssm"),
    ("sts", "sts"),
    ("tagging", "resourcegroupstaggingapi"),
];

/// Serves the sandbox of the environment until Ctrl-C or SIGTERM, which is its ordinary end: exit code 0. Requests that
/// are under way are finished; a second one does not wait for them, and is 130.
pub fn serve(root: &Path, options: &Options, asked: &Serve, printer: &Printer) -> Result<u8> {
    let environment = Environment::load(root, &options.env)?;
    let name = environment.name.clone();
    let served = open(environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    runtime.block_on(async {
        let http = match served.aws {
            true => Some(socket(asked.host, asked.port, "--port").await?),
            false => None,
        };
        let tds = match served.sql {
            Some(_) => Some(socket(asked.host, asked.sql_port, "--sql-port").await?),
            None => None,
        };
        let keys = keys(&name, &served.sandbox, asked.keep_key)?;
        let lines = Lines::new(&served, &keys, http.as_ref(), tds.as_ref())?;
        // Before the lines are out: who reads them may end the server at once.
        let signals = Signals::listen();
        printer.reveal(&match printer.json() {
            true => format!("{:#}\n", lines.document()),
            false => lines.text(),
        })?;
        printer.message("serving; Ctrl-C ends it");
        let (end, ending) = watch::channel(false);
        let ends = tokio::spawn(end_when_told(signals, end, printer.clone()));
        let server = Server::new(served.sandbox.aws().clone(), keys);
        let aws = http.map(|listener| server.run(listener, ending.clone()));
        let sql = served
            .sql
            .zip(tds)
            .map(|((server, _), listener)| sql::run(server, listener, ending));
        tokio::join!(OptionFuture::from(aws), OptionFuture::from(sql));
        ends.abort();
        Ok(Exit::Done as u8)
    })
}

async fn socket(host: IpAddr, port: u16, option: &str) -> Result<TcpListener> {
    let listener = listen(host, port).await;
    listener.map_err(|error| error.note(format!("`{option} N` chooses another port")))
}

async fn end_when_told(mut signals: Signals, end: watch::Sender<bool>, printer: Printer) {
    signals.next().await;
    printer.message("ending: requests under way are finished; once more ends at once");
    end.send_replace(true);
    signals.next().await;
    std::process::exit(Exit::Interrupted as i32);
}

/// What a client must be told.
struct Lines {
    account: String,
    region: String,
    aws: Option<Aws>,
    sql: Option<Sql>,
}

struct Aws {
    endpoint: String,
    keys: Keys,
}

struct Sql {
    host: String,
    port: u16,
    login: Login,
    database: String,
}

impl Lines {
    fn new(served: &Served, keys: &Keys, http: Option<&TcpListener>, tds: Option<&TcpListener>) -> Result<Self> {
        let address = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(|error| Error::failed(format!("the address of a socket: {error}")))
        };
        let aws = match http {
            Some(listener) => Some(Aws {
                endpoint: format!("http://{}", address(listener)?),
                keys: keys.clone(),
            }),
            None => None,
        };
        let sql = match (tds, &served.sql) {
            (Some(listener), Some((_, login))) => Some(Sql {
                host: address(listener)?.ip().to_string(),
                port: address(listener)?.port(),
                login: login.clone(),
                database: served.database.clone(),
            }),
            _ => None,
        };
        Ok(Self {
            account: served.account.clone(),
            region: served.region.clone(),
            aws,
            sql,
        })
    }

    /// For people: lines to paste.
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(aws) = &self.aws {
            text.push_str(&self.aws_text(aws));
        }
        if let Some(sql) = &self.sql {
            text.push_str(&format!(
                "\n# A SQL client (without encryption; it stays on this machine)\n\
                 Server=tcp:{},{};User ID={};Password={};Database={};Encrypt=no\n",
                sql.host,
                sql.port,
                sql.login.user,
                sql.login.password.expose(),
                sql.database,
            ));
        }
        text
    }

    fn aws_text(&self, aws: &Aws) -> String {
        let (region, endpoint, id, secret) = (&self.region, &aws.endpoint, &aws.keys.id, aws.keys.secret.expose());
        let endpoints: String = TERRAFORM
            .iter()
            .map(|(_, name)| format!("    {name:<24} = \"{endpoint}\"\n"))
            .collect();
        format!(
            "# AWS CLI, and every SDK: paste into a shell\n\
             unset AWS_SESSION_TOKEN AWS_PROFILE\n\
             export AWS_ENDPOINT_URL={endpoint}\n\
             export AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             export AWS_ACCESS_KEY_ID={id}\n\
             export AWS_SECRET_ACCESS_KEY={secret}\n\
             aws sts get-caller-identity\n\
             \n\
             # boto3\n\
             session = boto3.Session(\"{id}\", \"{secret}\", region_name=\"{region}\")\n\
             ecs = session.client(\"ecs\", endpoint_url=\"{endpoint}\")\n\
             \n\
             # Terraform\n\
             provider \"aws\" {{\n  \
               region                  = \"{region}\"\n  \
               access_key              = \"{id}\"\n  \
               secret_key              = \"{secret}\"\n  \
               skip_metadata_api_check = true\n  \
               endpoints {{\n\
             {endpoints}  }}\n\
             }}\n"
        )
    }

    /// For machines.
    fn document(&self) -> serde_json::Value {
        json!({
            "account": self.account,
            "region": self.region,
            "aws": self.aws.as_ref().map(|aws| json!({
                "endpoint": aws.endpoint,
                "access_key_id": aws.keys.id,
                "secret_access_key": aws.keys.secret.expose(),
                "terraform_endpoints": TERRAFORM.map(|(_, name)| name),
            })),
            "sql": self.sql.as_ref().map(|sql| json!({
                "host": sql.host,
                "port": sql.port,
                "user": sql.login.user,
                "password": sql.login.password.expose(),
                "database": sql.database,
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::aws::model;

    #[test]
    fn every_service_has_its_line_for_terraform() {
        let named: Vec<_> = TERRAFORM.iter().map(|(service, _)| *service).collect();
        assert_eq!(named, model::SERVICES);
    }
}
