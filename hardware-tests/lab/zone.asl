// zone.asl   A thermal zone for the emulated machine (vm.sh with TZ=1): it is as warm as a 32-bit latch at the ports 0xe0 to 0xe3 says, in
// tenths of a kelvin (qemu's pc-testdev keeps what is written there). What no sensor would say reads as 30 degrees Celsius.
DefinitionBlock ("", "SSDT", 2, "EDGED ", "ZONE", 1)
{
    Scope (\_SB)
    {
        OperationRegion (PORT, SystemIO, 0xE0, 0x04)
        Field (PORT, DWordAcc, NoLock, Preserve) { WARM, 32 }
    }
    Scope (\_TZ)
    {
        ThermalZone (ZONE)
        {
            Method (_TMP, 0, Serialized)
            {
                Local0 = \_SB.WARM
                If (Local0 < 2331 || Local0 > 4231) { Return (3032) } // below -40, above 150 degrees
                Return (Local0)
            }
            Name (_CRT, 3832) // 110 degrees: off
            Name (_PSV, 3532) // 80 degrees: slower
            Name (_TC1, 4)
            Name (_TC2, 3)
            Name (_TSP, 20)
            Method (_PSL, 0) { Return (Package () {}) }
            Name (_TZP, 10) // the kernel looks once a second
        }
    }
}
