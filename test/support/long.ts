/** True when tests run in their long form: `npm run test:all`. */
export const IS_LONG = process.env['FUZZ_LONG'] === 'true'

/** Cases of a fuzz test: `FUZZ_CASES` when set, else `usual`; `long` in the long form. */
export function fuzzCases(usual: number, long = 500_000): number {
  const asked = Number(process.env['FUZZ_CASES'])
  if (Number.isInteger(asked) && asked > 0) return asked
  return IS_LONG ? long : usual
}
