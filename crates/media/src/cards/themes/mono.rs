//! Mono: a poster in black and white with one loud red.

use crate::cards::theme::{
    Backdrop, Details, Entrance, Face, FaceStyle, Glow, Marker, Motion, Palette, Rule, Shape, ShapeKind, TextAlign,
    Theme,
};

pub(super) static THEME: Theme = Theme {
    name: "mono",
    description: "a poster in black and white with one loud red",
    palette: Palette { text: [14, 14, 16], muted: [74, 74, 80], accent: [214, 20, 34], ground: [244, 244, 242] },
    heading: Face { family: "Noto Sans", style: FaceStyle::Sans, weight: 700, tracking: -0.03, leading: 1.02 },
    body: Face { family: "Noto Sans", style: FaceStyle::Sans, weight: 400, tracking: 0.0, leading: 1.32 },
    backdrop: Backdrop {
        top: [247, 247, 245],
        bottom: [240, 240, 237],
        glows: &[
            Glow {
                colour: [232, 232, 229],
                x: 0.8,
                y: 0.7,
                radius: 0.6,
                strength: 0.8,
                orbit: (0.3, 0.2),
                period_s: 12.0,
                phase: 0.0,
            },
            Glow {
                colour: [255, 255, 255],
                x: 0.2,
                y: 0.2,
                radius: 0.5,
                strength: 0.9,
                orbit: (0.2, 0.2),
                period_s: 15.0,
                phase: 0.5,
            },
        ],
        shapes: &[
            Shape {
                kind: ShapeKind::Bar { height: 30.0 },
                colour: [214, 20, 34],
                opacity: 1.0,
                x: 0.96,
                y: 0.97,
                size: 70.0,
                turn: -24.0,
                drift: (4.0, 1.8),
                period_s: 14.0,
            },
            Shape {
                kind: ShapeKind::Stripes { count: 9 },
                colour: [14, 14, 16],
                opacity: 1.0,
                x: 0.9,
                y: 0.02,
                size: 24.0,
                turn: 45.0,
                drift: (2.6, 2.6),
                period_s: 11.0,
            },
        ],
    },
    details: Details {
        align: TextAlign::Start,
        rule: Rule { length: 22.0, thickness: 1.6 },
        marker: Marker::Square,
        padded_numbers: true,
        heading_scale: 1.2,
    },
    motion: Motion { entrance: Entrance::Unveil, distance: 0.0, seconds: 0.7, stagger_s: 0.13 },
};
