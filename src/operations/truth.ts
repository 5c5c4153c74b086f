import { z } from 'zod'

/** A truth value that may come as text, since queries do. */
export const truth = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
)
