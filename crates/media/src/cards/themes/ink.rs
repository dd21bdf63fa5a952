//! Ink: deep blue night with slow northern lights, a bookish face and a thread of gold.

use crate::cards::theme::{
    Backdrop, Details, Entrance, Face, FaceStyle, Glow, Marker, Motion, Palette, Rule, Shape, ShapeKind, TextAlign,
    Theme,
};

pub(super) static THEME: Theme = Theme {
    name: "ink",
    description: "deep blue night, slow northern lights, a serif and a thread of gold",
    palette: Palette { text: [247, 243, 234], muted: [186, 196, 214], accent: [240, 190, 104], ground: [11, 16, 34] },
    heading: Face {
        family: "Noto Serif Display",
        style: FaceStyle::Serif,
        weight: 700,
        tracking: -0.005,
        leading: 1.12,
    },
    body: Face { family: "Noto Sans", style: FaceStyle::Sans, weight: 400, tracking: 0.0, leading: 1.36 },
    backdrop: Backdrop {
        top: [9, 13, 30],
        bottom: [14, 22, 46],
        glows: &[
            Glow {
                colour: [28, 78, 112],
                x: 0.16,
                y: 0.14,
                radius: 0.62,
                strength: 0.72,
                orbit: (0.2, 0.1),
                period_s: 17.0,
                phase: 0.0,
            },
            Glow {
                colour: [62, 44, 118],
                x: 0.92,
                y: 0.5,
                radius: 0.58,
                strength: 0.66,
                orbit: (0.18, 0.14),
                period_s: 21.0,
                phase: 0.35,
            },
            Glow {
                colour: [16, 92, 96],
                x: 0.3,
                y: 0.98,
                radius: 0.5,
                strength: 0.55,
                orbit: (0.24, 0.08),
                period_s: 15.0,
                phase: 0.7,
            },
        ],
        shapes: &[Shape {
            kind: ShapeKind::Ripples { count: 7 },
            colour: [240, 190, 104],
            opacity: 0.13,
            x: 1.0,
            y: 0.06,
            size: 96.0,
            turn: 0.0,
            drift: (3.0, 4.0),
            period_s: 15.0,
        }],
    },
    details: Details {
        align: TextAlign::Start,
        rule: Rule { length: 15.0, thickness: 0.55 },
        marker: Marker::Number,
        padded_numbers: true,
        heading_scale: 1.0,
    },
    motion: Motion { entrance: Entrance::Rise, distance: 4.0, seconds: 0.9, stagger_s: 0.16 },
};
