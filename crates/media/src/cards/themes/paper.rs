//! Paper: warm stock with fibres, black ink, a vermilion sun.

use crate::cards::theme::{
    Backdrop, Details, Entrance, Face, FaceStyle, Glow, Marker, Motion, Palette, Rule, Shape, ShapeKind, TextAlign,
    Theme,
};

pub(super) static THEME: Theme = Theme {
    name: "paper",
    description: "warm paper with fibres, black ink and a vermilion sun",
    palette: Palette { text: [33, 28, 24], muted: [92, 80, 68], accent: [184, 54, 28], ground: [243, 235, 220] },
    heading: Face { family: "Noto Serif", style: FaceStyle::Serif, weight: 700, tracking: -0.01, leading: 1.14 },
    body: Face { family: "Noto Serif", style: FaceStyle::Serif, weight: 400, tracking: 0.0, leading: 1.36 },
    backdrop: Backdrop {
        top: [246, 239, 226],
        bottom: [239, 229, 211],
        glows: &[
            Glow {
                colour: [255, 251, 242],
                x: 0.3,
                y: 0.3,
                radius: 0.6,
                strength: 0.85,
                orbit: (0.26, 0.16),
                period_s: 14.0,
                phase: 0.1,
            },
            Glow {
                colour: [230, 214, 188],
                x: 0.95,
                y: 0.95,
                radius: 0.55,
                strength: 0.6,
                orbit: (0.2, 0.1),
                period_s: 17.0,
                phase: 0.5,
            },
        ],
        shapes: &[
            Shape {
                kind: ShapeKind::Disc,
                colour: [214, 74, 40],
                opacity: 1.0,
                x: 0.96,
                y: 0.0,
                size: 40.0,
                turn: 0.0,
                drift: (2.4, 2.0),
                period_s: 16.0,
            },
            Shape {
                kind: ShapeKind::Fibres { count: 70 },
                colour: [120, 98, 70],
                opacity: 0.12,
                x: 0.5,
                y: 0.5,
                size: 100.0,
                turn: 0.0,
                drift: (0.8, 0.8),
                period_s: 19.0,
            },
        ],
    },
    details: Details {
        align: TextAlign::Start,
        rule: Rule { length: 84.0, thickness: 0.22 },
        marker: Marker::Dash,
        padded_numbers: false,
        heading_scale: 0.96,
    },
    motion: Motion { entrance: Entrance::Wipe, distance: 3.0, seconds: 1.0, stagger_s: 0.2 },
};
