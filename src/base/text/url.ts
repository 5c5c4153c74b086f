/** None of the characters of a URL (RFC 3986, section 2), or a backslash, which URL parsers take for a slash. */
const STRANGE = /[^!-[\]-~]/u
/** Two slashes, and a host that is not written in escapes (`%61`), which URL parsers decode. */
const WEB_HOST = /^https?:\/\/[^%/?#]+(?:[/?#]|$)/i

/**
 * Why a URL could lead elsewhere than it reads; null when it leads where it reads. URL parsers drop invisible
 * characters, map look-alikes to ASCII and complete missing slashes (UTS #46; WHATWG URL, section 4.4), so a person who
 * approves the text would see another host than the one that is called.
 */
export function urlTextFault(text: string): string | null {
  const strange = STRANGE.exec(text)?.[0]
  if (strange !== undefined) {
    const code = strange.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
    return `a URL in ASCII: U+${code} must be written in Punycode (xn--...) in a host, and %-encoded elsewhere`
  }
  if (/^https?:/i.test(text) && !WEB_HOST.test(text))
    return 'a URL with // before its host, and no % in the host'
  return null
}

/** The text without slashes at its end. A regular expression for it would take quadratically long for slashes before it. */
export function withoutEndSlashes(text: string): string {
  let end = text.length
  while (text[end - 1] === '/') end--
  return text.slice(0, end)
}

/**
 * A URL with parameters behind those that it has (RFC 6749 section 3.1). The query of the URL keeps its bytes, apart from parameters of
 * the same names: each parameter is sent once, with the value given here.
 * @param url absolute, without fragment @param parameters by name
 */
export function withQuery(url: string, parameters: Readonly<Record<string, string>>): URL {
  const [base = '', query = ''] = url.split(/\?(.*)/s)
  const kept = query.split('&').filter((part) => part !== '' && !Object.hasOwn(parameters, nameIn(part)))
  const added = new URLSearchParams(parameters).toString()
  return new URL(`${base}?${[...kept, added].filter((part) => part !== '').join('&')}`)
}

/** The decoded name of one `name=value`. */
function nameIn(part: string): string {
  const [name = ''] = new URLSearchParams(part).keys()
  return name
}
