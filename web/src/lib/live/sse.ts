// The text format of server-sent events, read piece by piece. Unlike EventSource it shows comment lines, so that a
// heartbeat is visible, and it lets a new reader resume after the last id of another one.

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

export interface Parser {
  /** Takes the next piece of text. */
  push(text: string): void;
}

/** Calls `onEvent` for each complete event and `onComment` for each comment line. */
export function createParser(onEvent: (event: ServerEvent) => void, onComment: () => void): Parser {
  let rest = '';
  let id: string | null = null;
  let event = '';
  let data: string[] = [];

  function line(text: string): void {
    if (text === '') {
      if (data.length > 0) onEvent({ id, event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    if (text.startsWith(':')) {
      onComment();
      return;
    }
    const colon = text.indexOf(':');
    const name = colon === -1 ? text : text.slice(0, colon);
    const raw = colon === -1 ? '' : text.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
  }

  return {
    push(text) {
      rest += text;
      // A lone CR at the end may be the first half of CR LF: wait for the next piece.
      const pieces = rest.split(/\r\n|\n|\r(?!$)/);
      rest = pieces.pop() ?? '';
      pieces.forEach(line);
    },
  };
}
