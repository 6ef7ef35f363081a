"""A scene in words, for a terminal: render mode `ansi`, and `human` at each step."""

from __future__ import annotations

from bundlegym.envs.rendering.scene import Scene


def in_words(scene: Scene, most: int = 10) -> str:
    """The scene as text, a terminal's width."""
    lines = [f"Shopper {scene.shopper}, visit {scene.visit} of {scene.visits}, week {scene.week}"]
    if scene.last is not None:
        last = scene.last
        lines.append(f"Last visit: {last.words}")
        lines.append(
            f"  margin {last.margin:.2f} against the twin's {last.twin_margin:.2f}: {last.gain:+.2f}; "
            f"so far {sum(scene.gains):+.2f}"
        )
    lines.append(f"Candidates, the {min(most, len(scene.candidates))} this shopper buys most:")
    for line in scene.candidates[:most]:
        mark = f"[{line.place + 1}]" if line.place >= 0 else "   "
        lift = f"  goes with the bundle {line.lift:+.2f}" if line.lift else ""
        lines.append(f" {mark} {line.name[:44]:44} {line.price:7.2f}{lift}")
    bundle = scene.bundle
    total = sum(line.price for line in bundle)
    inside = " + ".join(line.name for line in bundle) or "empty"
    lines.append(f"Bundle: {inside}" + (f", {total:.2f} at the shelf" if bundle else ""))
    return "\n".join(lines) + "\n"
