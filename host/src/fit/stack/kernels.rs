//! Which functions are kernels, and of which operator.

use edgepkg_format::OperatorKind;
use edgepkg_format::info::OperatorSet;

const KERNELS: &str = "edgepkg_kernels::reference::";

/// Whether the function with this name can run where a model uses `operators`: all but the kernels of
/// other operators.
pub(super) fn may_run(function: &str, operators: OperatorSet) -> bool {
    operator(function).is_none_or(|kind| operators.contains(kind))
}

/// The operator whose kernel `function` is: `edgepkg_kernels::reference::pool2d::max_pool2d_i8` is
/// `MaxPool2d`'s.
fn operator(function: &str) -> Option<OperatorKind> {
    let path = function.strip_prefix(KERNELS)?;
    let path = path.split(['<', '{']).next()?.trim_end_matches(':');
    let name = path.rsplit("::").next()?;
    // `max_pool2d_i16` is `MaxPool2d16`'s.
    if let Some(narrow) = name.strip_suffix("_i16") {
        let kind =
            |kind: &OperatorKind| kind.name().strip_suffix("16").map(snake_case).as_deref() == Some(narrow);
        return OperatorKind::ALL.iter().copied().find(kind);
    }
    OperatorKind::ALL.iter().copied().find(|kind| {
        name.strip_prefix(&*snake_case(kind.name()))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("_i"))
    })
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_kernels_by_name() {
        let check = |name: &str, expect| assert_eq!(operator(name), expect, "{name}");
        check("edgepkg_kernels::reference::conv2d::conv2d_i8", Some(OperatorKind::Conv2d));
        check("edgepkg_kernels::reference::pool2d::max_pool2d_i8", Some(OperatorKind::MaxPool2d));
        check("edgepkg_kernels::reference::movement::strided_copy", Some(OperatorKind::StridedCopy));
        check("edgepkg_kernels::reference::elementwise::add_i8::<u8>", Some(OperatorKind::Add));
        check("edgepkg_kernels::reference::pool2d::max_pool2d_i16", Some(OperatorKind::MaxPool2d16));
        check("edgepkg_kernels::reference::conv2d16::conv2d_i16", Some(OperatorKind::Conv2d16));
        check("edgepkg_kernels::reference::lstm::lstm::<i16>", Some(OperatorKind::Lstm));
        check("edgepkg_kernels::reference::elementwise::combine_i16", None);
        check("edgepkg_kernels::reference::sums::row", None);
        check("edgepkg_runtime::server::serve", None);
    }
}
