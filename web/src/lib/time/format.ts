// How times look: in the browser's zone, with the zone named, relative only in feeds. Takes the present as an argument.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The zone in which times are shown. */
export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function part(at: number, options: Intl.DateTimeFormatOptions, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { ...options, timeZone, hourCycle: 'h23' }).format(at);
}

/** "14:02:31". */
export function clock(at: number, timeZone = zone()): string {
  return part(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' }, timeZone);
}

/** "21 Nov 2026". */
export function day(at: number, timeZone = zone()): string {
  return part(at, { day: 'numeric', month: 'short', year: 'numeric' }, timeZone);
}

/** "21 Nov 14:02", with the year when it is another one than now's. */
export function shortMoment(at: number, now: number, timeZone = zone()): string {
  const sameYear = part(at, { year: 'numeric' }, timeZone) === part(now, { year: 'numeric' }, timeZone);
  const date = part(
    at,
    { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' as const }) },
    timeZone,
  );
  return `${date} ${part(at, { hour: '2-digit', minute: '2-digit' }, timeZone)}`;
}

/** "21 Nov 2026, 14:02:31 GMT+1", for hovering and assistive technology. */
export function exactMoment(at: number, timeZone = zone()): string {
  const name = new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'short' })
    .formatToParts(at)
    .find((piece) => piece.type === 'timeZoneName')?.value;
  return `${day(at, timeZone)}, ${clock(at, timeZone)} ${name ?? timeZone}`;
}

/** "12 s", "3 min", "2 h 10 min", "4 d". Negative lengths count as zero. */
export function duration(ms: number): string {
  const length = Math.max(0, ms);
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`;
  if (length < HOUR) return `${Math.floor(length / MINUTE)} min`;
  if (length < DAY) {
    const minutes = Math.floor((length % HOUR) / MINUTE);
    return minutes ? `${Math.floor(length / HOUR)} h ${minutes} min` : `${Math.floor(length / HOUR)} h`;
  }
  const hours = Math.floor((length % DAY) / HOUR);
  return hours ? `${Math.floor(length / DAY)} d ${hours} h` : `${Math.floor(length / DAY)} d`;
}

/** "just now", "3 min ago", "in 5 min". */
export function relative(at: number, now: number): string {
  const difference = now - at;
  if (Math.abs(difference) < 5 * SECOND) return 'just now';
  return difference > 0 ? `${duration(difference)} ago` : `in ${duration(-difference)}`;
}

const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** The server's sentences with their instants as this page shows times. */
export function readable(text: string, now: number, timeZone = zone()): string {
  return text.replaceAll(INSTANT, (instant) => shortMoment(Date.parse(instant), now, timeZone));
}
