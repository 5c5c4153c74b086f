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
