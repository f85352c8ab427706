include $(sort $(wildcard $(BR2_EXTERNAL_SUREPLUG_PATH)/package/*/*.mk))
