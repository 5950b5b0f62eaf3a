//! Attacks on small groups.

use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};

use super::*;
use crate::derive::samples::{SHOP, Sample, at};
use crate::facts::FactKey;

/// An organisation of teams with services, and who works on which: service `t-s` of team `t` lives in its own
/// repository.
fn organisation(teams: &[Vec<u8>]) -> Sample {
    use std::fmt::Write as _;
    let (mut team_list, mut service_list) = (String::new(), String::new());
    let mut people = 0;
    let mut sample = Sample::new();
    for (team, services) in teams.iter().enumerate() {
        writeln!(team_list, "  - {{name: t{team}}}").unwrap();
        for (service, crowd) in services.iter().enumerate() {
            let name = format!("t{team}-{service}");
            writeln!(service_list, "  - {{name: {name}, team: t{team}, repository: git.example/acme/{name}}}").unwrap();
            for _ in 0..*crowd {
                people += 1;
                let change = sample.merged(people, "x", "2026-11-03T10:00", "2026-11-03T11:00");
                change.repository = format!("git.example/acme/{name}");
                let change = change.clone();
                sample.facts.changes.remove(&FactKey(format!("{SHOP}#{people}")));
                sample.facts.changes.insert(FactKey(format!("{name}#{people}")), change);
            }
        }
    }
    sample.with_catalog(&format!("team:\n{team_list}service:\n{service_list}"))
}

fn withheld(sample: &Sample) -> HashSet<Scope> {
    let catalog = sample.catalog.completed(&sample.facts);
    let derived = Derived::new(&sample.facts, &catalog, &sample.rules);
    let people = People::new(&sample.facts, &derived);
    people.withheld(&catalog, &derived, 5, (at("2026-11-01T00:00"), at("2026-12-01T00:00")))
}

fn team(number: usize) -> Scope {
    Scope::Team(format!("t{number}"))
}

/// Everything that follows by subtraction from what is shown: each a set of services, one number a service.
/// Gaussian elimination over the shown sets; a service set is known if it is a combination of them.
fn is_computable(shown: &[Vec<f64>], wanted: &[f64]) -> bool {
    let rank = |rows: &[Vec<f64>]| {
        let mut rows = rows.to_vec();
        let (mut rank, width) = (0, wanted.len());
        for column in 0..width {
            let Some(pivot) = (rank..rows.len()).find(|row| rows[*row][column].abs() > 1e-9) else { continue };
            rows.swap(rank, pivot);
            let lead = rows[rank].clone();
            for row in rows.iter_mut().skip(rank + 1) {
                let factor = row[column] / lead[column];
                row.iter_mut().zip(&lead).for_each(|(value, lead)| *value -= factor * lead);
            }
            rank += 1;
        }
        rank
    };
    let with_wanted: Vec<Vec<f64>> = shown.iter().cloned().chain([wanted.to_vec()]).collect();
    rank(shown) == rank(&with_wanted)
}

#[test]
fn one_small_team_takes_the_next_smallest_with_it() {
    let withheld = withheld(&organisation(&[vec![9], vec![3], vec![6]]));
    assert!(withheld.contains(&team(1)) && withheld.contains(&team(2)), "{withheld:?}");
    assert!(!withheld.contains(&team(0)) && !withheld.contains(&Scope::Company), "{withheld:?}");
}

#[test]
fn two_small_teams_that_are_large_enough_together_take_none_with_them() {
    let withheld = withheld(&organisation(&[vec![9], vec![3], vec![4]]));
    assert_eq!([0, 1, 2].map(|number| withheld.contains(&team(number))), [false, true, true]);
}

#[test]
fn a_team_without_anybody_hides_nothing_and_needs_no_hiding() {
    let withheld = withheld(&organisation(&[vec![9], vec![0], vec![8]]));
    assert!(withheld.is_empty(), "{withheld:?}");
}

#[test]
fn a_company_that_is_too_small_shows_nothing_at_all() {
    let sample = organisation(&[vec![2], vec![2]]);
    let withheld = withheld(&sample);
    assert!(withheld.contains(&Scope::Company) && withheld.contains(&team(0)));
}

#[test]
fn people_whom_the_sender_does_not_name_do_not_count() {
    let mut sample = organisation(&[vec![9]]);
    sample.facts.changes.values_mut().for_each(|change| change.author = None);
    assert!(withheld(&sample).contains(&Scope::Company));
}

proptest! {
    #[test]
    fn what_is_shown_never_tells_the_n_of_a_group_below_the_minimum(
        teams in prop::collection::vec(prop::collection::vec(any::<u8>().prop_map(|crowd| crowd % 9), 1..4), 1..6),
    ) {
        let sample = organisation(&teams);
        let withheld = withheld(&sample);
        let services: Vec<(usize, usize, u8)> = teams
            .iter()
            .enumerate()
            .flat_map(|(team, services)| services.iter().enumerate().map(move |(service, crowd)| (team, service, *crowd)))
            .collect();
        let set = |holds: &dyn Fn(usize, usize) -> bool| -> Vec<f64> {
            services.iter().map(|(team, service, crowd)| f64::from(u8::from(holds(*team, *service) && *crowd > 0))).collect()
        };
        // That a group is empty is known to all, so an empty service is no unknown.
        let mut groups: Vec<(Scope, Vec<f64>)> = vec![(Scope::Company, set(&|_, _| true))];
        for number in 0..teams.len() {
            groups.push((team(number), set(&|team, _| team == number)));
        }
        for (own, number, _) in &services {
            let only = set(&|team, service| team == *own && service == *number);
            groups.push((Scope::Service(format!("t{own}-{number}")), only.clone()));
            groups.push((Scope::Repository(format!("git.example/acme/t{own}-{number}")), only));
        }
        let shown: Vec<Vec<f64>> =
            groups.iter().filter(|(scope, _)| !withheld.contains(scope)).map(|(_, set)| set.clone()).collect();
        for (scope, set) in &groups {
            let crowd: f64 = set.iter().zip(&services).map(|(in_set, (_, _, crowd))| in_set * f64::from(*crowd)).sum();
            if crowd > 0.0 && crowd < 5.0 {
                prop_assert!(!is_computable(&shown, set), "{scope:?} of {crowd} can be computed; {teams:?}");
            }
        }
    }
}
