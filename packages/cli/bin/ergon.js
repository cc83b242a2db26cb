#!/usr/bin/env node
import { Ergon } from "@ergon/cli"

Ergon.main([])
