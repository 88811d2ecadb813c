// Geometry of a small line chart. Numbers here are pixels.

/** An SVG path through the values, or null when there are fewer than two. A flat line runs through the middle. */
export function sparkPath(values: readonly number[], width: number, height: number): string | null {
  const finite = values.filter((value) => Number.isFinite(value));
  if (finite.length < 2) return null;
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const pad = 2;
  const point = (value: number, index: number): string => {
    const x = (index / (finite.length - 1)) * width;
    const share = span === 0 ? 0.5 : (value - low) / span;
    const y = height - pad - share * (height - 2 * pad);
    return `${Math.round(x * 100) / 100} ${Math.round(y * 100) / 100}`;
  };
  return `M${finite.map(point).join('L')}`;
}
