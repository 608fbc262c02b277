//! The cases: cyclonus' list, told of groups, addresses, ports and tiers.
//!
//! | part of the list there | here |
//! | --- | --- |
//! | peers, 112: pods, name spaces, blocks with and without exceptions | [`peers`]: groups, addresses, networks, and both |
//! | ports and protocols, 70 | [`ports`]: numbers, lists, ranges, protocols by name and number |
//! | conflicts, 16 | [`CONFLICTS`]: priorities, tiers, orders, policies against each other |
//! | targets, 6 | [`TARGETS`]: which groups have the policy, own addresses |
//! | rules, 4; example, 1 | [`RULES`] |
//! | actions, 6: create, change, delete while running | [`CHANGES`] |
//! | name spaces, 2 | the last of [`CHANGES`], and whoever looks at tenant blue in any case |
//! | upstream, 13: what Kubernetes itself tests | [`UPSTREAM`] |
//!
//! Ports by name have no meaning here, and SCTP none that a container of the tests could answer.

/// What is true after each step is looked at after each step.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// Each a whole plan.
    pub(super) steps: Vec<String>,
}

fn one(name: String, step: String) -> Case {
    let steps = vec![step];
    Case { name, steps }
}

fn several(list: &[(&str, &[&str])]) -> Vec<Case> {
    let case = |(name, steps): &(&str, &[&str])| Case {
        name: (*name).to_owned(),
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
    };
    list.iter().map(case).collect()
}

pub(super) fn all() -> Vec<Case> {
    let mut all = peers();
    all.extend(ports());
    for part in [CONFLICTS, TARGETS, RULES, CHANGES, UPSTREAM] {
        all.extend(several(part));
    }
    all
}

/// Whom a rule is about: 14 kinds × direction × action × all or one port.
fn peers() -> Vec<Case> {
    const KINDS: [(&str, &str); 14] = [
        ("anybody", ""),
        ("its own group", "@web"),
        ("another group", "@db"),
        ("a group without members", "@ops"),
        ("a member's address", "~10.1.0.12"),
        ("an address without group", "~10.1.0.31,fd00:1::31"),
        ("a prefix", "~10.1.0.0/28"),
        ("a prefix with an exception", "~10.1.0.0/16 !10.1.0.12"),
        ("all but some", "~0.0.0.0/0,::/0 !10.1.0.16/28,fd00:1::21"),
        ("a range", "~10.1.0.12-10.1.0.21"),
        ("prefixes of both families", "~10.1.0.16/28,fd00:1::10/124"),
        ("a network", "%plain"),
        ("members with an address", "@db ~10.1.0.0/27"),
        ("the world", "~198.51.100.0/24"),
    ];
    let mut cases = Vec::new();
    for direction in ["in", "out"] {
        for (kind, peer) in KINDS {
            for packets in ["", "tcp :80"] {
                let of = if packets.is_empty() {
                    "all"
                } else {
                    "one port"
                };
                cases.push(one(
                    format!("{direction}, {kind}: deny {of}"),
                    format!("p {direction} deny {packets} {peer}"),
                ));
                cases.push(one(
                    format!("{direction}, {kind}: allow {of} and nothing else"),
                    format!("p {direction} deny; p {direction} allow {packets} {peer} ^10"),
                ));
            }
        }
    }
    cases
}

/// What a rule is about: 18 kinds × direction × action.
fn ports() -> Vec<Case> {
    const KINDS: [&str; 18] = [
        "tcp",
        "udp",
        "icmp",
        "6",
        "17",
        "1",
        "58",
        "132",
        "tcp :80",
        "tcp :81",
        "udp :80",
        "udp :81",
        "tcp :80,81",
        "tcp :79-81",
        "udp :1-80",
        "tcp :82-65535",
        ":80",
        "icmp type8",
    ];
    let mut cases = Vec::new();
    for direction in ["in", "out"] {
        for kind in KINDS {
            cases.push(one(
                format!("{direction}: deny {kind}"),
                format!("p {direction} deny {kind}"),
            ));
            cases.push(one(
                format!("{direction}: allow {kind} and nothing else"),
                format!("p {direction} deny; p {direction} allow {kind} ^10"),
            ));
        }
    }
    cases
}

const CONFLICTS: &[(&str, &[&str])] = &[
    ("deny wins among equals", &["p in allow; p in deny"]),
    (
        "the higher priority allows",
        &["p in deny ^5; p in allow tcp :80 ^6"],
    ),
    (
        "the higher priority denies",
        &["p in allow ^5; p in deny tcp :80 ^6"],
    ),
    (
        "deny wins among equals of two policies",
        &["p in allow @db ^7; q in deny @db ^7"],
    ),
    (
        "priorities of two policies",
        &["p in deny ^7; q in allow @db ^8"],
    ),
    (
        "a narrow prefix is not stronger",
        &["p in deny ~10.0.0.0/8 ^50; p in allow ~10.1.0.21 ^20"],
    ),
    (
        "a narrow prefix of a higher priority",
        &["p in deny ~10.0.0.0/8 ^50; p in allow ~10.1.0.21 ^60"],
    ),
    (
        "a group against an address",
        &["p in allow @db ^10; p in deny ~10.1.0.21 ^10"],
    ),
    (
        "one port of a range",
        &["p in deny tcp :1-1000 ^10; p in allow tcp :81 ^20"],
    ),
    ("both directions, one opens", &["p in deny; p out allow"]),
    (
        "both directions, both close",
        &["p in deny tcp; p out deny udp"],
    ),
    (
        "the admin's tier is asked first",
        &["p place admin; p in deny @db; q in allow @db ^100"],
    ),
    (
        "the baseline is asked last",
        &["p place baseline; p in deny ^100; q in allow @db"],
    ),
    (
        "pass leaves it to the next tier",
        &["p place admin; p in pass @db ^9; p in deny; q in deny tcp :81"],
    ),
    (
        "the lower order is asked first",
        &["p place 10; p in allow @db; q place 20; q in deny ^100"],
    ),
    (
        "pass through two tiers meets the default",
        &["web default deny allow; p place admin; p in pass; q in pass"],
    ),
    (
        "a staged policy denies nothing",
        &["p place staged; p in deny"],
    ),
    (
        "a staged policy opens nothing",
        &["p place staged; p in allow ^100; q in deny"],
    ),
];

const TARGETS: &[(&str, &[&str])] = &[
    ("no group has the policy", &["web has; p in deny"]),
    (
        "another group has the policy",
        &["web has; db has p; p in deny"],
    ),
    ("two groups have the policy", &["db has p; p in deny @web"]),
    (
        "sender and receiver each have one",
        &["db has q; p in allow; p in deny tcp ^9; q out deny udp"],
    ),
    ("one of the members' addresses", &["p in deny =10.1.0.11"]),
    (
        "own addresses of IPv6 and a port",
        &["p in deny; p in allow tcp :80 =fd00:1::12 ^9"],
    ),
    (
        "an own and a peer's address",
        &["p in deny tcp ~10.1.0.0/24 =10.1.0.12"],
    ),
];

const RULES: &[(&str, &[&str])] = &[
    ("no rules", &[""]),
    ("a rule that allows all", &["p in allow"]),
    ("a default that denies all", &["web default deny deny"]),
    (
        "many rules",
        &[
            "web default deny allow; p in allow tcp :80 @db; p in allow udp :81 @db; \
         p in allow icmp ~10.1.0.31; q in allow tcp :81 %plain; r out deny tcp :80 @db",
        ],
    ),
    (
        "the example: one open port",
        &["p in deny tcp; p in allow tcp :80 ^10"],
    ),
];

/// Changes while containers run and talk.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "a rule comes, changes, and goes",
        &["", "p in deny", "p in deny tcp :80", "p in deny @db", ""],
    ),
    (
        "an edit turns a rule around",
        &["p in deny @db", "p out deny @db", "p out allow @db"],
    ),
    (
        "a rule of a higher priority comes and goes",
        &["p in deny", "p in deny; p in allow udp ^9", "p in deny"],
    ),
    (
        "a group gets a policy and loses it",
        &[
            "web has; p in deny",
            "web has p; p in deny",
            "web has q; p in deny",
        ],
    ),
    (
        "the default changes",
        &[
            "",
            "web default deny allow",
            "web default deny deny",
            "web default allow allow",
        ],
    ),
    (
        "a policy changes its tier",
        &[
            "p in deny; q in allow @db ^9",
            "p place admin; p in deny; q in allow @db ^9",
            "p place baseline; p in deny; q in allow @db ^9",
        ],
    ),
    (
        "a policy changes its order",
        &[
            "q in deny ^9; p in allow",
            "q in deny ^9; p in allow; p place 10",
        ],
    ),
    (
        "a policy is tried, and put in force",
        &["p place staged; p in deny tcp", "p in deny tcp"],
    ),
    (
        "a container changes its group",
        &[
            "p in deny @db",
            "p in deny @db; w2 member db",
            "p in deny @db",
        ],
    ),
    (
        "a container leaves its group",
        &[
            "p in deny",
            "p in deny; w2 member -",
            "p in deny; w2 member ops",
        ],
    ),
    (
        "a container of another tenant joins",
        &["p in deny @web", "p in deny @web; bn1 member web", ""],
    ),
    (
        "what is kept outlives its rule",
        &[
            "p in deny; p in allow udp :80 ^9 keep",
            "p in deny",
            "p in deny; p in deny udp ^99",
            "",
        ],
    ),
    (
        "what is kept at one end is cut at the other",
        &[
            "p out allow udp keep",
            "p out deny udp",
            "p out deny udp; p in deny udp",
            "p out deny udp",
        ],
    ),
    (
        "tenants with equal addresses",
        &[
            "p in deny @db; blue: p in deny; p in allow @db ^9",
            "p in deny; p in allow @db ^9; blue: p in deny @db",
            "blue: p in deny",
        ],
    ),
    (
        "another tenant's rules of equal names",
        &[
            "p in deny tcp; blue: p in deny udp",
            "p in deny tcp; blue: p in deny icmp",
        ],
    ),
];

const UPSTREAM: &[(&str, &[&str])] = &[
    ("default deny in", &["p in deny"]),
    ("default deny out", &["p out deny"]),
    ("default deny both", &["p in deny; p out deny"]),
    ("allow from a group", &["p in deny; p in allow @db ^9"]),
    (
        "allow from all of a network",
        &["p in deny; p in allow %plain ^9"],
    ),
    (
        "allow from a group and one without it",
        &["p in deny; p in allow @db ^9; p in allow ~10.1.0.31 ^9"],
    ),
    (
        "allow a port from a group",
        &["p in deny; p in allow tcp :80 @db ^9"],
    ),
    (
        "two policies, two ports",
        &["p in deny; p in allow tcp :80 ^9; q in allow tcp :81 ^9"],
    ),
    ("allow all beside deny all", &["p in deny; q in allow ^9"]),
    (
        "allow out to one server and back",
        &["p out deny; p out allow tcp :80 @db ^9"],
    ),
    (
        "a block with an exception",
        &["p out deny; p out allow ~10.1.0.0/24 !10.1.0.21/32 ^9"],
    ),
    (
        "an exception that another rule allows",
        &[
            "p out deny; p out allow ~10.1.0.0/24 !10.1.0.21 ^9",
            "p out deny; p out allow ~10.1.0.0/24 !10.1.0.21 ^9; q out allow ~10.1.0.21 ^9",
        ],
    ),
    (
        "in and out are told apart",
        &[
            "p in deny; p out deny; p in allow @db ^9",
            "p in deny; p out deny; p out allow @db ^9",
        ],
    ),
    (
        "a rule is tightened",
        &[
            "p in allow; q in deny",
            "p in allow ^9; q in deny",
            "p in allow tcp :80 ^9; q in deny",
        ],
    ),
];
