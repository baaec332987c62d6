//! Lists of indices as copies: evenly spaced runs, repeated at even distances.

/// Neighbours in a list: `times` runs of `count` indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexRun {
    /// Where in the list it begins.
    pub(super) at: usize,
    /// Its first index.
    pub(super) first: usize,
    /// Indices of a run, and from one to the next.
    pub(super) count: usize,
    pub(super) step: isize,
    /// Runs, and from one's first index to the next one's.
    pub(super) times: usize,
    pub(super) stride: isize,
}

/// All of `indices`, in order, each run as long as it can be.
pub(super) fn index_runs(indices: &[usize]) -> Vec<IndexRun> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < indices.len() {
        let run = longest(&indices[at..]);
        runs.push(IndexRun { at, ..run });
        at += run.count * run.times;
    }
    runs
}

/// The run that `rest` begins with.
fn longest(rest: &[usize]) -> IndexRun {
    let distance = |from: usize, to: usize| rest[to] as isize - rest[from] as isize;
    let step = if rest.len() > 1 { distance(0, 1) } else { 0 };
    let count = 1 + (1..rest.len()).take_while(|&next| distance(next - 1, next) == step).count();
    let stride = if count < rest.len() { distance(0, count) } else { 0 };
    let repeats = |time: &usize| {
        let begin = time * count;
        let whole = begin + count <= rest.len();
        whole
            && distance(begin - count, begin) == stride
            && (begin + 1..begin + count).all(|next| distance(next - 1, next) == step)
    };
    let times = 1 + (1..).take_while(repeats).count();
    IndexRun { at: 0, first: rest[0], count, step, times, stride }
}

#[cfg(test)]
mod tests {
    use super::{IndexRun, index_runs};

    fn indices_of(runs: &[IndexRun]) -> Vec<usize> {
        let one = |run: &IndexRun| {
            let IndexRun { first, count, step, times, stride, .. } = *run;
            let index = move |at: usize| {
                (first as isize + (at / count) as isize * stride + (at % count) as isize * step) as usize
            };
            (0..count * times).map(index)
        };
        runs.iter().flat_map(one).collect()
    }

    #[test]
    fn runs_are_the_list_they_are_made_of() {
        let lists: [(&[usize], usize); 9] = [
            (&[0, 1, 2, 3], 1),
            (&[3, 2, 1, 0], 1),
            (&[0, 0, 1, 1, 2, 2], 1),
            (&[0, 1, 2, 0, 1, 2], 1),
            (&[2, 1, 0, 1, 2, 3, 2, 1], 3),
            (&[5], 1),
            (&[4, 1, 3], 2),
            (&[0, 0, 1, 1, 2], 2),
            (&[7, 7, 7], 1),
        ];
        for (list, count) in lists {
            let runs = index_runs(list);
            assert_eq!(indices_of(&runs), list);
            assert_eq!(runs.len(), count, "{list:?}: {runs:?}");
        }
    }
}
