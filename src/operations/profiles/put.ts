import { putOf } from '../crud.ts'
import { issueFirst, shownToken } from './issue.ts'
import { profileKind } from './kind.ts'

export const putProfile = putOf(profileKind, {
  output: shownToken,
  revealsOnce: true,
  made: (profile, _input, context) => issueFirst(profile, context),
})
