/**
 * Makes characters visible that a screen shows as nothing, as a blank or as a change of direction, so that two values
 * that differ never look alike and no value looks like another one. Every value that a person reads before deciding
 * goes through one of these functions.
 */

/** Control, format, private and unassigned characters, blanks other than the space, and letters without a shape. */
const UNSEEN_CLASS = '[[\\p{C}\\p{Z}\\p{Default_Ignorable_Code_Point}\\u2800\\u{16fe4}\\u{1d159}]--[ ]]'
const UNSEEN = new RegExp(UNSEEN_CLASS, 'gv')
/** The same without line breaks, which lay out JSON and YAML. */
export const UNSEEN_IN_DATA = new RegExp(`[${UNSEEN_CLASS}--[\\n]]`, 'gv')

const UNSEEN_ONCE = new RegExp(UNSEEN_CLASS, 'v')
/** Those that hide or reorder text. Line breaks, tabs and what joins or colours emoji are part of honest text. */
const DECEPTIVE_CLASS = `[${UNSEEN_CLASS}--[\\n\\r\\t\\u00a0\\u00ad\\u200c\\u200d\\ufe0e\\ufe0f]]`
const DECEPTIVE = new RegExp(DECEPTIVE_CLASS, 'v')
const EACH_DECEPTIVE = new RegExp(DECEPTIVE_CLASS, 'gv')

/** Backslashes before what is, or looks like, one of the escapes of {@link printable}. */
const BEFORE_ESCAPE = new RegExp(`\\\\+(?=[nt]|u[0-9a-fA-F]{4}|${UNSEEN_CLASS})`, 'gv')

/** Runs of characters that could be among them: most text is ASCII, in which a scan for these is far cheaper. */
const BEYOND_ASCII = /[^\n -~]+/g

/**
 * Text for a terminal or a form. A tab is shown as `\t`, a line break as `\n`, any other as JSON writes it (`\u202e`).
 * Backslashes of text that looks like such an escape are doubled.
 */
export function printable(text: string): string {
  return text
    .replaceAll(BEFORE_ESCAPE, '$&$&')
    .replaceAll(UNSEEN, (char) => (char === '\n' ? '\\n' : char === '\t' ? '\\t' : jsonEscape(char)))
}

/** True for text with a character that {@link printable} writes as an escape. */
export function hasUnseen(text: string): boolean {
  return UNSEEN_ONCE.test(text)
}

/** True for text with characters that hide from people what a program or a model reads. */
export function isDeceptive(text: string): boolean {
  return DECEPTIVE.test(text)
}

/** Text for a page: what hides or reorders text is shown as JSON writes it (`\u202e`), and emoji and scripts that join letters stay. */
export function undeceptive(text: string): string {
  return text.replaceAll(BEYOND_ASCII, (run) => run.replaceAll(EACH_DECEPTIVE, jsonEscape))
}

/** The same JSON value with these characters as escapes (RFC 8259, section 7). */
export function visibleJson(json: string): string {
  return json.replaceAll(BEYOND_ASCII, (run) => run.replaceAll(UNSEEN_IN_DATA, jsonEscape))
}

/** Each UTF-16 code unit as `\uXXXX`. */
function jsonEscape(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
