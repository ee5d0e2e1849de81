//! A request to AWS, as far as a proxy has to understand it.

use std::io::Read;

use serde_json::Value;

pub struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// `None`: the peer left before it had sent one.
    pub fn read(from: &mut impl Read) -> std::io::Result<Option<Self>> {
        let (mut bytes, mut some) = (Vec::new(), [0; 16384]);
        let head = loop {
            if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break head;
            }
            match from.read(&mut some)? {
                0 => return Ok(None),
                count => bytes.extend_from_slice(&some[..count]),
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.split("\r\n").map(str::to_owned);
        let line = lines.next().unwrap_or_default();
        let header = |line: String| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let mut request = Self {
            line,
            headers: lines.filter_map(header).collect(),
            body: bytes.split_off(head + 4),
        };
        assert!(
            request.header("transfer-encoding").is_none(),
            "{text}: of unknown length"
        );
        let length: usize = request
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a number"));
        while request.body.len() < length {
            match from.read(&mut some)? {
                0 => return Ok(None),
                count => request.body.extend_from_slice(&some[..count]),
            }
        }
        Ok(Some(request))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub fn bytes(&self) -> Vec<u8> {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        [format!("{}\r\n{headers}\r\n", self.line).as_bytes(), &self.body].concat()
    }

    /// `ec2:CreateVpc`. The service is the one for which it is signed; of a REST call, the operation is its first line, and
    /// what begins with `GET` reads.
    pub fn action(&self) -> String {
        let scope = self
            .header("authorization")
            .and_then(|text| text.split("Credential=").nth(1));
        let service = scope.and_then(|scope| scope.split('/').nth(3)).unwrap_or_default();
        if let Some(target) = self.header("x-amz-target") {
            return format!("{service}:{}", target.rsplit('.').next().unwrap_or_default());
        }
        let fields = form(&self.body);
        match fields.iter().find(|(name, _)| name == "Action") {
            Some((_, action)) => format!("{service}:{action}"),
            None => {
                let line = self.line.rsplit_once(' ').map_or(self.line.as_str(), |(line, _)| line);
                format!("{service}:{}", line.replacen("GET ", "Get ", 1))
            }
        }
    }

    /// What it is about: the identity in its tags, else its first name or id.
    pub fn resource(&self) -> String {
        if let Ok(body) = serde_json::from_slice::<Value>(&self.body) {
            let first = || body.as_object()?.values().find_map(Value::as_str);
            return identity(&body).or_else(first).unwrap_or_default().to_owned();
        }
        let fields = form(&self.body);
        let key = fields.iter().position(|(_, value)| value == "iacsh:id");
        let tagged = key.and_then(|key| fields.get(key + 1));
        let is_plain = |(name, _): &&(String, String)| name != "Action" && name != "Version";
        let told = tagged.or_else(|| fields.iter().find(is_plain));
        told.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    let fields = form_urlencoded::parse(body);
    fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn identity(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => {
            let of = |names: [&str; 2]| names.iter().find_map(|name| members.get(*name)?.as_str());
            let is_it = of(["Key", "key"]) == Some("iacsh:id");
            let tags = || members.get("iacsh:id").and_then(Value::as_str);
            let own = if is_it { of(["Value", "value"]) } else { tags() };
            own.or_else(|| members.values().find_map(identity))
        }
        Value::Array(items) => items.iter().find_map(identity),
        _ => None,
    }
}

#[test]
fn a_request_says_what_it_is_about() {
    let read = |text: &str| {
        let request = Request::read(&mut text.as_bytes()).expect("read").expect("a request");
        (request.action(), request.resource())
    };
    let signed = "Authorization: AWS4-HMAC-SHA256 Credential=key/20260131/eu-central-1/";
    let form = "Action=CreateVpc&Version=1&CidrBlock=10.0.0.0%2F16&TagSpecification.1.Tag.1.Key=iacsh%3Aid&\
                TagSpecification.1.Tag.1.Value=vpc%2Fmain";
    let text = format!(
        "POST / HTTP/1.1\r\n{signed}ec2/aws4_request\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(read(&text), ("ec2:CreateVpc".into(), "vpc/main".into()));
    let json = r#"{"Name":"/a/b","Tags":[{"Key":"iacsh:env","Value":"x"},{"Key":"iacsh:id","Value":"parameter/b"}]}"#;
    let target = "X-Amz-Target: AmazonSSM.PutParameter";
    let length = json.len();
    let text =
        format!("POST / HTTP/1.1\r\n{signed}ssm/aws4_request\r\n{target}\r\ncontent-length: {length}\r\n\r\n{json}");
    assert_eq!(read(&text), ("ssm:PutParameter".into(), "parameter/b".into()));
    let text = format!("GET /2013-04-01/hostedzone HTTP/1.1\r\n{signed}route53/aws4_request\r\n\r\n");
    assert_eq!(read(&text).0, "route53:Get /2013-04-01/hostedzone");
}
