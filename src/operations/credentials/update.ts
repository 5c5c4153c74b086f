import { updateOf } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const updateCredential = updateOf(credentialKind)
