import { putOf } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const putCredential = putOf(credentialKind)
