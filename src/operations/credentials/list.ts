import { listOf } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const listCredentials = listOf(credentialKind)
