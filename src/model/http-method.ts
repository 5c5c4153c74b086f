import { z } from 'zod'
import { HTTP_METHODS } from './methods.ts'

export const HttpMethod = z.enum(HTTP_METHODS)
export type HttpMethod = z.infer<typeof HttpMethod>
