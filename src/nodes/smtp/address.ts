/** `local@domain`, as RFC 5321 has it without quotes: no character of it ends a line, a path or a list. */
const ADDRESS =
  /^(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/

/** True for an e-mail address in ASCII. */
export function isAddress(text: string): boolean {
  return ADDRESS.test(text)
}
