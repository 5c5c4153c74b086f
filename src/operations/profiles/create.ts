import { createOf } from '../crud.ts'
import { issueFirst, shownToken } from './issue.ts'
import { profileKind } from './kind.ts'

export const createProfile = createOf(profileKind, {
  output: shownToken,
  revealsOnce: true,
  made: (profile, _input, context) => issueFirst(profile, context),
})
