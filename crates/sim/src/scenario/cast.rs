//! People, places and incidents of the scenario. All invented.

/// A member of the cast.
pub(super) struct Actor {
    pub(super) num: &'static str,
    pub(super) name: &'static str,
    pub(super) page: i64,
    pub(super) department: &'static str,
    pub(super) subdivision: &'static str,
    pub(super) rank: &'static str,
}

const fn actor(
    num: &'static str,
    name: &'static str,
    page: i64,
    department: &'static str,
    subdivision: &'static str,
    rank: &'static str,
) -> Actor {
    Actor { num, name, page, department, subdivision, rank }
}

/// Departments of the CAD.
pub(super) mod page {
    pub(in super::super) const POLICE: i64 = 0;
    pub(in super::super) const FIRE: i64 = 1;
    pub(in super::super) const EMS: i64 = 2;
    pub(in super::super) const DISPATCH: i64 = 3;
}

/// In the order they go on duty; the dispatcher first.
pub(super) const CAST: [Actor; 12] = [
    actor("D-1", "Rosalind Achterberg", page::DISPATCH, "LSPD", "Communications", "Dispatcher"),
    actor("A-10", "Theo Marchetti", page::POLICE, "LSPD", "Patrol", "Sergeant"),
    actor("A-12", "Ines Calloway", page::POLICE, "LSPD", "Patrol", "Officer"),
    actor("2L-14", "Wendell Okoro", page::POLICE, "LSPD", "Patrol", "Officer"),
    actor("2L-17", "Mara Lindqvist", page::POLICE, "LSPD", "Traffic", "Officer"),
    actor("K-3", "Bastian Reyes", page::POLICE, "LSPD", "K-9", "Officer III"),
    actor("S-21", "Joanna Pryce", page::POLICE, "BCSO", "Highway", "Deputy"),
    actor("E-1", "Hollis Grant", page::FIRE, "LSFD", "Station 1", "Captain"),
    actor("L-4", "Petra Novotny", page::FIRE, "LSFD", "Station 1", "Engineer"),
    actor("M-3", "Callum Adeyemi", page::EMS, "LS EMS", "ALS", "Paramedic"),
    actor("M-7", "Yuki Farrow", page::EMS, "LS EMS", "BLS", "EMT"),
    actor("D-2", "Silas Whitcombe", page::DISPATCH, "LSPD", "Communications", "Dispatcher"),
];

/// Where things happen: address, block, postal, and coordinates in metres.
pub(super) struct Place {
    pub(super) address: &'static str,
    pub(super) block: &'static str,
    pub(super) postal: &'static str,
    pub(super) x: f64,
    pub(super) y: f64,
}

const fn place(address: &'static str, block: &'static str, postal: &'static str, x: f64, y: f64) -> Place {
    Place { address, block, postal, x, y }
}

pub(super) const PLACES: [Place; 10] = [
    place("Copperline Plaza, Meridian St", "200", "8041", 214.5, -880.2),
    place("Saltgrass Pier, gate 3", "1900", "8117", -1640.0, -1012.4),
    place("Juniper Heights Apartments, 44 Orchard Ln", "400", "7023", -310.8, 212.6),
    place("Route 9 / Quarry Rd", "", "3055", 2480.1, 2931.7),
    place("Halden Freight Yard, dock 12", "5100", "9204", 812.3, -2210.9),
    place("Marigold Diner, 18 Tidewater Ave", "100", "8066", -72.4, -1325.5),
    place("Northgate Tunnel, southbound", "", "6110", -905.6, 540.0),
    place("Civic Hospital, ambulance bay", "700", "7150", 338.9, -583.1),
    place("Bluff Trail, overlook 2", "", "4409", -1580.7, 2100.3),
    place("Kettle Creek Savings, 2 Vine Sq", "300", "8012", 149.2, -1040.8),
];

/// What a caller reports and how it continues.
pub(super) struct Case {
    pub(super) caller: &'static str,
    pub(super) report: &'static str,
    pub(super) title: &'static str,
    pub(super) code: &'static str,
    pub(super) priority: i64,
    pub(super) page: i64,
    pub(super) notes: [&'static str; 2],
    /// Why the priority rises, if it does.
    pub(super) worse: &'static str,
}

pub(super) const CASES: [Case; 8] = [
    Case {
        caller: "Nadia Brandt",
        report: "Two men in grey hoods are prying the side door open. One has a crowbar.",
        title: "Burglary in progress",
        code: "10-62 - Burglary",
        priority: 2,
        page: page::POLICE,
        notes: ["Caller hears glass breaking.", "One detained, second ran north on foot."],
        worse: "A shot was heard inside.",
    },
    Case {
        caller: "Orson Vale",
        report: "Kitchen is burning and there is smoke in the stairwell, second floor.",
        title: "Structure fire",
        code: "10-70 - Fire",
        priority: 2,
        page: page::FIRE,
        notes: ["Smoke showing from the B side.", "Fire under control, checking for extension."],
        worse: "A child may still be inside.",
    },
    Case {
        caller: "",
        report: "Older man fell down, he is grey in the face and does not answer.",
        title: "Cardiac arrest",
        code: "10-52 - Medical",
        priority: 1,
        page: page::EMS,
        notes: ["Bystander CPR under way.", "Pulse is back, transporting to Civic."],
        worse: "",
    },
    Case {
        caller: "Imogen Latch",
        report: "A truck jack-knifed and two cars went into it. People are hurt.",
        title: "Vehicle collision with injuries",
        code: "10-50 - Collision",
        priority: 2,
        page: page::EMS,
        notes: ["Both lanes blocked, set up at the south end.", "Three patients, one serious."],
        worse: "Fuel is leaking.",
    },
    Case {
        caller: "Kettle Creek Savings",
        report: "Silent alarm, counter 2. No answer on call-back.",
        title: "Bank alarm",
        code: "10-90 - Alarm",
        priority: 1,
        page: page::POLICE,
        notes: ["Black van at the rear, engine running.", "Two suspects in custody, scene is secure."],
        worse: "",
    },
    Case {
        // What a troll types. It has to arrive as harmless text wherever it is shown.
        caller: "@everyone **free** [click](http://evil.example)",
        report: "||@here|| <@&1> `rm -rf` ```\nget **rich** now: [official site](http://evil.example)",
        title: "Suspicious caller @everyone",
        code: "10-66 - Suspicious",
        priority: 3,
        page: page::POLICE,
        notes: ["<@everyone> # HUGE \u{202e}txet desrever", "Prank call, no further action."],
        worse: "Caller rang again: [click](http://evil.example)",
    },
    Case {
        caller: "Gus Thackeray",
        report: "Street racing again, at least six cars, they nearly hit somebody.",
        title: "Reckless driving",
        code: "10-55 - Reckless driver",
        priority: 3,
        page: page::POLICE,
        notes: ["Last seen towards the tunnel, over 100.", "One vehicle stopped, driver cited."],
        worse: "One of them fled from a stop.",
    },
    Case {
        caller: "Beatrix Sorrel",
        report: "My friend slipped off the trail. He talks but cannot move his leg.",
        title: "Fall from height",
        code: "10-52 - Medical",
        priority: 2,
        page: page::FIRE,
        notes: ["Access from the lower lot only.", "Patient packaged, carrying out."],
        worse: "Patient is getting drowsy.",
    },
];

/// Civil (non-emergency) calls: caller and text.
pub(super) const CIVIL: [(&str, &str); 4] = [
    ("Odell Marsh", "Abandoned bicycle blocks the ramp since yesterday."),
    ("Pia Kessler", "Neighbour's dog barks all night, would like to talk to an officer."),
    ("Rufus Tan", "Lost a wallet near the pier, brown leather."),
    ("", "The light at the crossing stays green for everybody."),
];

/// BOLOs: plate, vehicle, reason.
pub(super) const BOLOS: [(&str, &str, &str); 3] = [
    ("47 KTX 219", "White panel van, dented rear door", "Seen leaving a burglary"),
    ("88 QRL 004", "Red coupe, black stripe", "Fled from a traffic stop, driver armed"),
    ("12 MVB 771", "Green pickup with a lift kit", "Stolen from Copperline Plaza"),
];
