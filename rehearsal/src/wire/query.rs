//! awsQuery: a form in, XML out.

use std::collections::BTreeMap;

use super::context::{Input, Output};
use super::refusal::Refusal;
use super::request::Service;
use super::xml;

/// Levels of a parameter's name at most; no operation has half as many.
const MAX_DEPTH: usize = 32;

/// Reads a request's pairs into a tree: `A.member.1=x` and `A.1=x` are lists, `A.B=x` is a structure.
/// A parameter without a value counts as left out, which is how clients write an empty list; so does one that nests too deeply.
pub(crate) fn read(pairs: &[(String, String)]) -> Input {
    let mut root = Node::default();
    for (name, value) in pairs {
        let too_deep = name.split('.').nth(MAX_DEPTH).is_some();
        if !value.is_empty() && !too_deep && !matches!(name.as_str(), "Action" | "Version") {
            name.split('.').fold(&mut root, |node, part| node.children.entry(part.to_owned()).or_default()).value =
                Some(value.clone());
        }
    }
    match root.into_input() {
        input @ Input::Object(_) => input,
        _ => Input::Object(serde_json::Map::new()),
    }
}

#[derive(Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Self>,
}

impl Node {
    fn into_input(mut self) -> Input {
        if self.children.is_empty() {
            return self.value.map_or_else(|| Input::Object(serde_json::Map::new()), Input::String);
        }
        // `A.member.1`, or with the item's own name: `A.DBInstanceIdentifier.1`.
        if self.children.len() == 1
            && let Some(only) = self.children.first_entry()
            && only.get().is_numbered()
        {
            return only.remove().into_list();
        }
        if self.is_numbered() {
            return self.into_list();
        }
        Input::Object(self.children.into_iter().map(|(name, node)| (name, node.into_input())).collect())
    }

    fn is_numbered(&self) -> bool {
        !self.children.is_empty() && self.children.keys().all(|key| key.parse::<u32>().is_ok())
    }

    fn into_list(self) -> Input {
        let mut items: Vec<(u32, Input)> =
            self.children.into_iter().filter_map(|(key, node)| Some((key.parse().ok()?, node.into_input()))).collect();
        items.sort_by_key(|(place, _)| *place);
        items.into_iter().map(|(_, item)| item).collect()
    }
}

/// The XML namespace of a service.
fn namespace(service: Option<Service>) -> &'static str {
    match service {
        Some(Service::Elbv2) => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        Some(Service::Rds) => "http://rds.amazonaws.com/doc/2014-10-31/",
        Some(Service::CloudWatch) => "http://monitoring.amazonaws.com/doc/2010-08-01/",
        Some(Service::Sts) => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://webservices.amazon.com/AWSFault/2005-15-09",
    }
}

/// How a list names its items; `entry` for a map, whose items have a key and a value.
fn item_name(service: Service) -> fn(&str) -> &'static str {
    match service {
        Service::CloudWatch => super::cloudwatch::item_name,
        Service::Rds => super::rds::item_name,
        _ => |_| "member",
    }
}

/// Writes an answer.
pub(crate) fn write(service: Service, operation: &str, output: &Output, request_id: &str) -> Vec<u8> {
    let mut document = xml::Document::new();
    document.within(&format!("{operation}Response"), Some(namespace(Some(service))), |document| {
        if !matches!(output, Output::Map(entries) if entries.is_empty()) {
            document.within(&format!("{operation}Result"), None, |document| {
                document.members(output, item_name(service));
            });
        }
        document.within("ResponseMetadata", None, |document| document.leaf("RequestId", request_id));
    });
    document.into_bytes()
}

/// Writes an error.
pub(crate) fn write_error(service: Option<Service>, refusal: &Refusal, request_id: &str) -> Vec<u8> {
    let fault = if refusal.status.is_server_error() { "Receiver" } else { "Sender" };
    let mut document = xml::Document::new();
    document.within("ErrorResponse", Some(namespace(service)), |document| {
        document.within("Error", None, |document| {
            document.leaf("Type", fault);
            document.leaf("Code", &refusal.code);
            document.leaf("Message", &refusal.message);
        });
        document.leaf("RequestId", request_id);
    });
    document.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(text: &str) -> Input {
        read(&form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>())
    }

    #[test]
    fn lists_and_structures_are_told_apart() {
        let input = form(
            "Action=X&Version=1&Names.member.2=b&Names.member.1=a&Dimensions.member.1.Name=TargetGroup\
             &Dimensions.member.1.Value=t&PageSize=2&Filters.Filter.1.Values.Value.1=v",
        );
        assert_eq!(
            input,
            json!({
                "Names": ["a", "b"],
                "Dimensions": [{ "Name": "TargetGroup", "Value": "t" }],
                "PageSize": "2",
                "Filters": [{ "Values": ["v"] }],
            })
        );
    }

    #[test]
    fn a_list_of_more_than_nine_keeps_its_order() {
        let text: Vec<String> = (1..=11).map(|it| format!("Names.member.{it}=n{it}")).collect();
        let input = form(&text.join("&"));
        assert_eq!(input["Names"][9], "n10");
        assert_eq!(input["Names"].as_array().map(Vec::len), Some(11));
    }

    #[test]
    fn a_parameter_without_a_value_is_left_out() {
        assert_eq!(form("Action=X&TargetGroupArns="), json!({}));
    }

    #[test]
    fn an_error_is_the_senders_unless_the_status_says_otherwise() {
        let text = |refusal: Refusal| {
            String::from_utf8(write_error(Some(Service::Elbv2), &refusal, "r-1")).expect("XML is UTF-8")
        };
        let error = text(Refusal::new("TargetGroupNotFound", "no <tg>"));
        assert!(error.contains("<Type>Sender</Type><Code>TargetGroupNotFound</Code>"), "{error}");
        assert!(error.contains("no &lt;tg&gt;"), "{error}");
        assert!(text(Refusal::not_implemented("rds:X")).contains("<Type>Receiver</Type>"));
    }
}
