import { readSettings } from "./configuration.ts"
import { defineStack } from "./stack.ts"

export const { apiUrl, tableName, bucketName, busName, imageRepository, alarmTopicArn } = defineStack(readSettings())
