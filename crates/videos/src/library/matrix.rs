//! The assignment problem: each row one column, no column twice, the sum of weights as high as can be.

/// Assigns each row of `weights` a column of its own such that the sum is the highest possible. There must be at
/// least as many columns as rows, and every row must be equally long.
///
/// The Hungarian method with potentials (Kuhn 1955, Munkres 1957; shortest augmenting paths after Jonker and Volgenant
/// 1987): rows² × columns steps.
pub(super) fn best_assignment(weights: &[Vec<f64>]) -> Vec<usize> {
    let rows = weights.len();
    let columns = weights.first().map_or(0, Vec::len);
    debug_assert!(rows <= columns, "every row needs a column");
    // Row and column 0 stand for nothing; `row_of[column]` is the row that holds a column.
    let mut row_potential = vec![0.0; rows + 1];
    let mut column_potential = vec![0.0; columns + 1];
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![f64::INFINITY; columns + 1];
        let mut came_from = vec![0; columns + 1];
        let mut visited = vec![false; columns + 1];
        while row_of[column] != 0 {
            visited[column] = true;
            let at = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for candidate in 1..=columns {
                if visited[candidate] {
                    continue;
                }
                let cost = -weights[at - 1][candidate - 1] - row_potential[at] - column_potential[candidate];
                if cost < slack[candidate] {
                    slack[candidate] = cost;
                    came_from[candidate] = column;
                }
                if slack[candidate] < step {
                    step = slack[candidate];
                    next = candidate;
                }
            }
            for candidate in 0..=columns {
                if visited[candidate] {
                    row_potential[row_of[candidate]] += step;
                    column_potential[candidate] -= step;
                } else {
                    slack[candidate] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut column_of = vec![0; rows];
    for column in 1..=columns {
        if row_of[column] != 0 {
            column_of[row_of[column] - 1] = column - 1;
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The best sum by trying everything.
    fn best_sum(weights: &[Vec<f64>], used: &mut Vec<usize>) -> f64 {
        let Some(row) = weights.get(used.len()) else { return 0.0 };
        let mut best = f64::NEG_INFINITY;
        for (column, weight) in row.iter().enumerate() {
            if !used.contains(&column) {
                used.push(column);
                best = best.max(weight + best_sum(weights, used));
                used.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_assignment_is_better(
            weights in (1usize..5).prop_flat_map(|rows| {
                (rows..7).prop_flat_map(move |columns| {
                    prop::collection::vec(prop::collection::vec((-50i32..50).prop_map(f64::from), columns), rows)
                })
            })
        ) {
            let assigned = best_assignment(&weights);
            let mut distinct = assigned.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), weights.len());
            let sum: f64 = assigned.iter().enumerate().map(|(row, column)| weights[row][*column]).sum();
            prop_assert!((sum - best_sum(&weights, &mut Vec::new())).abs() < 1e-9);
        }
    }

    #[test]
    fn no_rows_need_no_columns() {
        assert!(best_assignment(&[]).is_empty());
    }
}
