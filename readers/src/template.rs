//! A template of CloudFormation or SAM: parameters, conditions and functions worked out.

use rehearsal::cloudformation::{Template, TemplateError};

use crate::documents::{self, SOURCE};

pub(crate) fn read(bytes: &[u8]) {
    let text = documents::text(bytes);
    let Ok(template) = Template::parse(&text, SOURCE).inspect_err(names_the_template) else { return };
    template.globals("Function");
    let Ok(stack) = template.sketched().inspect_err(names_the_template) else { return };
    for resource in stack.resources.values() {
        assert!(stack.of_kind(&resource.kind).count() >= 1, "{} is of no kind", resource.kind);
    }
}

fn names_the_template(error: &TemplateError) {
    assert!(error.to_string().starts_with(SOURCE), "{error}");
}
