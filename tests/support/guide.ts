import { readFileSync } from 'node:fs';

/** A fenced block of a guide. */
export interface GuideBlock {
  /** `sh`, `ts`, `output` ... */
  readonly language: string;
  /** Words after the language, such as `debian`. */
  readonly marks: readonly string[];
  readonly text: string;
  /** Line of the page at which it begins, from 1. */
  readonly line: number;
}

/** All fenced blocks of a markdown page, in order. */
export function guideBlocks(path: string): GuideBlock[] {
  const blocks: GuideBlock[] = [];
  let open: { language: string; marks: string[]; line: number; lines: string[] } | undefined;
  for (const [index, text] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (!text.startsWith('```')) open?.lines.push(text);
    else if (open === undefined) {
      const [language = '', ...marks] = text.slice(3).trim().split(/\s+/);
      open = { language, marks, line: index + 1, lines: [] };
    } else {
      blocks.push({ language: open.language, marks: open.marks, line: open.line, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    }
  }
  return blocks;
}

/** The file that a block is the content of: its first line is `// path` or `# path`. */
export function fileOf({ text }: GuideBlock): string | undefined {
  return /^(?:\/\/|#) ([\w./-]+\.\w+)$/.exec(text.slice(0, text.indexOf('\n')))?.[1];
}
