use super::*;

fn inputs<'a>(args: &'a BTreeMap<String, String>, bases: &'a [String]) -> ImageInputs<'a> {
    ImageInputs {
        context: Digest([1; 32]),
        containerfile: b"FROM x\n",
        build_args: args,
        target: None,
        platform: None,
        network: None,
        base_images: bases,
    }
}

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn every_input_counts_and_none_runs_into_another() {
    let (none, one) = (args(&[]), args(&[("a", "b")]));
    let (split, joined) = (args(&[("a", "bc")]), args(&[("ab", "c")]));
    let bases = ["id".to_owned()];
    let two = ["i".to_owned(), "d".to_owned()];
    let plain = inputs(&none, &[]);
    let keys = [
        plain.key(),
        ImageInputs {
            context: Digest([2; 32]),
            ..plain.clone()
        }
        .key(),
        ImageInputs {
            containerfile: b"FROM y\n",
            ..plain.clone()
        }
        .key(),
        inputs(&one, &[]).key(),
        inputs(&split, &[]).key(),
        inputs(&joined, &[]).key(),
        ImageInputs {
            target: Some("x"),
            ..plain.clone()
        }
        .key(),
        ImageInputs {
            target: Some(""),
            ..plain.clone()
        }
        .key(),
        ImageInputs {
            platform: Some("x"),
            ..plain.clone()
        }
        .key(),
        ImageInputs {
            network: Some("x"),
            ..plain.clone()
        }
        .key(),
        inputs(&none, &bases).key(),
        inputs(&none, &two).key(),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key), "{index}");
    }
    assert_eq!(plain.key(), inputs(&none, &[]).key());
}

#[test]
fn keys_are_the_same_everywhere_and_always() {
    // A change here makes every image be built again. Computed with another implementation.
    assert_eq!(
        inputs(&args(&[("a", "1"), ("b", "2")]), &["id".to_owned()])
            .key()
            .to_string(),
        "4b8410487a33bd30b7f9969d77d087a7ab51cec2a262fac19e4009692ee1456d"
    );
    assert_eq!(
        Fingerprint::new().finish().to_string(),
        "1b39428a5c6f83c3b311119b061c38426c54557ee1c5b9e39c1cffe76baf2181"
    );
}

#[test]
fn fields_do_not_run_together() {
    let mut one = Fingerprint::new();
    one.symlink(b"ab", b"c");
    let mut two = Fingerprint::new();
    two.symlink(b"a", b"bc");
    let mut three = Fingerprint::new();
    three.file(b"ab", 0o777, 1, &[b'c'; 32]);
    let all = [one.finish(), two.finish(), three.finish()];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}
