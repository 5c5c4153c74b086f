import { createOf } from '../crud.ts'
import { issue, shownToken } from './issue.ts'
import { profileKind } from './kind.ts'

export const createProfile = createOf(profileKind, {
  output: shownToken,
  revealsOnce: true,
  made: (profile, _input, context) => issue(profile, context),
})
